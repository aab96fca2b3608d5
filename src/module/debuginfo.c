/* SPDX-License-Identifier: MIT */
/* Separate debug info: by build-id, then by .gnu_debuglink; on this system and in the target's
 * root. libdwfl's own search would ask a debuginfod server wherever DEBUGINFOD_URLS is set, and
 * stall. */
#include "base/file.h"
#include "base/mem.h"
#include "module/buildid.h"
#include "module/module.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEBUG_DIR "/usr/lib/debug"
/* A file of the target's own root could be truncated while libdw has it mapped: work on a copy. */
#define MAX_COPY (INT64_C(512) << 20)
/* The target names the folder: it could be one of ours that holds endless files, such as /proc. */
#define MAX_SIZE (INT64_C(16) << 30)

struct search {
	struct module *mod;
	struct build_id id; /* wanted; may be none */
	GElf_Word crc;      /* wanted if there is no build-id; 0: none */
	bool other_root;    /* the target has another root than we */
	char *found;
};

static void crc32_table(uint32_t table[256])
{
	for (uint32_t i = 0; i < 256; i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = table[i] >> 1 ^ (UINT32_C(0xedb88320) & -(table[i] & 1));
	}
}

static uint32_t crc32_of(int fd)
{
	unsigned char buf[65536];
	uint32_t table[256], crc = ~UINT32_C(0);
	off_t at = 0;
	crc32_table(table);
	for (ssize_t n; (n = pread(fd, buf, sizeof buf, at)) > 0; at += n)
		for (ssize_t i = 0; i < n; i++)
			crc = crc >> 8 ^ table[(crc ^ buf[i]) & 0xff];
	return ~crc;
}

static bool is_right(const struct search *s, int fd)
{
	struct build_id id = {0};
	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	bool has_id = elf && elf_kind(elf) == ELF_K_ELF && build_id_of_elf(elf, &id);
	elf_end(elf);
	if (s->id.len > 0)
		return has_id && build_id_equal(&id, &s->id);
	return s->crc != 0 && crc32_of(fd) == s->crc;
}

static int copy_of(int fd, off_t size)
{
	int copy = size <= MAX_COPY ? memfd_create("memtop-debuginfo", MFD_CLOEXEC) : -1;
	off_t at = 0;
	while (copy >= 0 && at < size && sendfile(copy, fd, &at, (size_t)(size - at)) > 0)
		;
	if (copy >= 0 && at < size) {
		close(copy);
		copy = -1;
	}
	close(fd);
	return copy;
}

static int try_in(struct search *s, const char *path, bool target_root)
{
	char *under = target_root ? mem_printf("root%s", path) : NULL;
	struct stat st;
	int fd = file_open_plain(under ? process_openat(s->mod->process, under, O_PATH)
	                               : open(path, O_PATH | O_CLOEXEC),
	                         &st);
	free(under);
	if (fd >= 0 && (st.st_size > (target_root ? MAX_COPY : MAX_SIZE) || !is_right(s, fd))) {
		close(fd);
		fd = -1;
	}
	if (fd >= 0 && target_root)
		fd = copy_of(fd, st.st_size);
	if (fd >= 0)
		s->found = mem_strdup(path);
	return fd;
}

static int try_path(struct search *s, const char *path)
{
	int fd = try_in(s, path, false);
	if (fd < 0 && s->other_root)
		fd = try_in(s, path, true);
	return fd;
}

static int try_build_id(struct search *s)
{
	if (s->id.len < 2)
		return -1;
	char hex[2 * BUILD_ID_MAX + 1];
	for (size_t i = 0; i < s->id.len; i++)
		snprintf(hex + 2 * i, 3, "%02x", s->id.bits[i]);
	char *path = mem_printf(DEBUG_DIR "/.build-id/%.2s/%s.debug", hex, hex + 2);
	int fd = try_path(s, path);
	free(path);
	return fd;
}

/* As GDB documents it: beside the file, in .debug beside it, under the global folder. */
static int try_debuglink(struct search *s, const char *link)
{
	const char *path = s->mod->path;
	const char *slash = strrchr(path, '/');
	if (!slash || !link || !*link || strchr(link, '/'))
		return -1;
	int folder = (int)(slash - path), fd = -1;
	char *full[] = {mem_printf("%.*s/%s", folder, path, link),
	                mem_printf("%.*s/.debug/%s", folder, path, link),
	                mem_printf(DEBUG_DIR "%.*s/%s", folder, path, link)};
	for (size_t i = 0; i < sizeof full / sizeof full[0]; i++) {
		if (fd < 0)
			fd = try_path(s, full[i]);
		free(full[i]);
	}
	return fd;
}

/* The supplementary file of dwz, which several debug files share. */
static int try_alternative(struct search *s, const char *link)
{
	int fd = try_build_id(s);
	const char *slash = link ? strrchr(link, '/') : NULL;
	if (fd >= 0 || !slash || !slash[1])
		return fd;
	char *path = mem_printf(DEBUG_DIR "/.dwz/x86_64-linux-gnu/%s", slash + 1);
	fd = try_path(s, path);
	free(path);
	return fd;
}

static bool has_other_root(const struct process *p)
{
	struct stat ours, theirs;
	int fd = process_openat(p, "root", O_PATH);
	bool other = fd >= 0 && stat("/", &ours) == 0 && fstat(fd, &theirs) == 0 &&
	             (ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino);
	if (fd >= 0)
		close(fd);
	return other;
}

/* The build-id of the supplementary file that dw names; false if dw isn't there yet. */
static bool alternative_id(Dwarf *dw, struct build_id *id)
{
	const char *name;
	const void *bits;
	ssize_t n = dw ? dwelf_dwarf_gnu_debugaltlink(dw, &name, &bits) : 0;
	if (n <= 0 || n > BUILD_ID_MAX)
		return false;
	id->len = (size_t)n;
	memcpy(id->bits, bits, id->len);
	return true;
}

static int find_alternative(struct search *s, Dwfl_Module *dm, const char *link)
{
	Dwarf_Addr bias;
	s->mod->in_search = true;
	Dwarf *dw = dwfl_module_getdwarf(dm, &bias);
	s->mod->in_search = false;
	return alternative_id(dw, &s->id) ? try_alternative(s, link) : -1;
}

static int find_main(struct search *s, Dwfl_Module *dm, const char *link)
{
	GElf_Addr bias;
	Elf *elf = dwfl_module_getelf(dm, &bias);
	if (elf)
		build_id_of_elf(elf, &s->id);
	int fd = try_build_id(s);
	return fd >= 0 ? fd : try_debuglink(s, link);
}

int module_find_debuginfo(Dwfl_Module *dm, void **userdata, const char *name, Dwarf_Addr base,
                          const char *file_name, const char *debuglink, GElf_Word crc,
                          char **found_name)
{
	(void)name;
	(void)base;
	(void)file_name;
	struct search s = {.mod = *userdata, .crc = crc};
	/* A hostile .gnu_debuglink may look like a supplementary file's: that would never end. */
	if (!s.mod || s.mod->in_search)
		return -1;
	s.other_root = has_other_root(s.mod->process);
	/* libdwfl asks a second time, with a path for a name, for the supplementary file. */
	int fd = debuglink && strchr(debuglink, '/') ? find_alternative(&s, dm, debuglink)
	                                             : find_main(&s, dm, debuglink);
	*found_name = s.found;
	errno = 0; /* libdwfl takes another value for a failure that is final */
	return fd;
}

int module_find_debuginfo_or_ask(Dwfl_Module *dm, void **userdata, const char *name,
                                 Dwarf_Addr base, const char *file_name, const char *debuglink,
                                 GElf_Word crc, char **found_name)
{
	int fd = module_find_debuginfo(dm, userdata, name, base, file_name, debuglink, crc,
	                               found_name);
	if (fd >= 0)
		return fd;
	return dwfl_standard_find_debuginfo(dm, userdata, name, base, file_name, debuglink, crc,
	                                    found_name);
}
