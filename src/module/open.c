/* SPDX-License-Identifier: MIT */
/* Getting the right ELF file for a module, and proving that it is. */
#include "base/file.h"
#include "base/mem.h"
#include "module/buildid.h"
#include "module/memory_elf.h"
#include "module/module.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE      UINT64_C(4096)
#define MAX_PHDRS 512
/* Read, not mapped: a file that is truncated while mapped would kill us with SIGBUS. On node (98
 * MB) that costs 2.5 ms more until the first stack is unwound, and some 5 ms of 90 until it has
 * names. Sections are read whole, so very large files are mapped all the same. */
#define MAX_READ (INT64_C(1) << 30)

struct opening {
	struct module *mod;
	struct memory_elf memory;
	bool in_memory;     /* memory is valid */
	struct build_id id; /* in the target's memory; may be none */
	int fd;
	Elf *elf;
};

static void discard(struct opening *o)
{
	elf_end(o->elf);
	if (o->fd >= 0)
		close(o->fd);
	o->elf = NULL;
	o->fd = -1;
}

/* --- is it usable? --- */

static bool is_ours(Elf *elf)
{
	GElf_Ehdr e;
	return elf && elf_kind(elf) == ELF_K_ELF && gelf_getclass(elf) == ELFCLASS64 &&
	       gelf_getehdr(elf, &e) && e.e_machine == EM_X86_64 &&
	       (e.e_type == ET_EXEC || e.e_type == ET_DYN);
}

static bool load_phdrs(struct module *mod, Elf *elf)
{
	size_t n;
	free(mod->phdr);
	mod->phdr = NULL;
	mod->phnum = 0;
	if (elf_getphdrnum(elf, &n) != 0 || n == 0 || n > MAX_PHDRS)
		return false;
	mod->phdr = mem_alloc(n * sizeof *mod->phdr);
	for (size_t i = 0; i < n; i++)
		if (!gelf_getphdr(elf, (int)i, &mod->phdr[i]))
			return false;
	mod->phnum = n;
	return true;
}

/* The load address follows from the mapping; libdwfl reckons it from the first segment and its
 * alignment. Where the two differ, it would look everything up at wrong addresses. */
static bool find_bias(struct module *mod)
{
	const struct extent *x = &mod->extents[0];
	bool first = true;
	uint64_t theirs = 0;
	for (size_t i = 0; i < mod->phnum; i++) {
		const GElf_Phdr *ph = &mod->phdr[i];
		if (ph->p_type != PT_LOAD)
			continue;
		if (first)
			theirs = mod->start - (ph->p_vaddr & -ph->p_align);
		first = false;
		uint64_t page = ph->p_offset & ~(PAGE - 1);
		if (x->offset < page || x->offset - page >= ph->p_filesz + ph->p_offset - page)
			continue;
		mod->bias = x->start - (ph->p_vaddr - ph->p_offset + x->offset);
		return mod->bias == theirs;
	}
	return false;
}

static bool is_usable(struct module *mod, Elf *elf)
{
	return is_ours(elf) && load_phdrs(mod, elf) && find_bias(mod);
}

/* --- is it the right one? --- */

static bool is_same_inode(const struct module *mod, int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && st.st_ino == mod->inode && st.st_dev == mod->dev;
}

/* is_mapped: the kernel vouches that it is the mapped file itself. */
static bool is_right(struct opening *o, bool is_mapped)
{
	struct build_id id = {0};
	if (o->id.len > 0)
		return build_id_of_elf(o->elf, &id) && build_id_equal(&id, &o->id);
	return is_mapped || is_same_inode(o->mod, o->fd);
}

static bool open_elf(struct opening *o, const char *path)
{
	struct stat st;
	o->fd = file_open_plain(process_openat(o->mod->process, path, O_PATH), &st);
	if (o->fd < 0)
		return false;
	elf_version(EV_CURRENT);
	o->elf = elf_begin(o->fd, st.st_size > MAX_READ ? ELF_C_READ_MMAP : ELF_C_READ, NULL);
	return true;
}

static bool try_file(struct opening *o, const char *path, bool is_mapped)
{
	if (!open_elf(o, path))
		return false;
	struct module *mod = o->mod;
	if (!is_ours(o->elf)) {
		module_complain(mod, "not an ELF file for this machine");
	} else if (!is_right(o, is_mapped)) {
		mod->mismatched = true;
		module_complain(mod, "the file on disk is not the one that is mapped");
	} else if (!is_usable(mod, o->elf)) {
		module_complain(mod, "its program headers don't fit its load address");
	} else {
		return true;
	}
	discard(o);
	return false;
}

static bool try_mapped_file(struct opening *o)
{
	char path[64];
	const struct extent *x = &o->mod->extents[0];
	snprintf(path, sizeof path, "map_files/%llx-%llx", (unsigned long long)x->start,
	         (unsigned long long)x->end);
	return try_file(o, path, true);
}

static bool try_executable(struct opening *o)
{
	struct stat st;
	if (!o->mod->is_main)
		return false;
	/* It may have exec'ed since the maps were read. */
	int fd = process_openat(o->mod->process, "exe", O_PATH);
	bool same = fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == o->mod->inode;
	if (fd >= 0)
		close(fd);
	return same && try_file(o, "exe", true);
}

static bool try_path(struct opening *o)
{
	char *path = mem_printf("root%s", o->mod->path);
	bool ok = try_file(o, path, false);
	free(path);
	return ok;
}

static bool try_memory(struct opening *o)
{
	struct module *mod = o->mod;
	if (!o->in_memory)
		return false;
	mod->image = mod->is_vdso ? memory_elf_copy(&o->memory, &mod->image_size)
	                          : memory_elf_image(&o->memory, &mod->image_size);
	if (!mod->image)
		return false;
	elf_version(EV_CURRENT);
	o->elf = elf_memory((char *)mod->image, mod->image_size);
	if (is_usable(mod, o->elf))
		return true;
	discard(o);
	free(mod->image);
	mod->image = NULL;
	return false;
}

static void read_memory(struct opening *o)
{
	const struct module *mod = o->mod;
	if (mod->extents[0].offset != 0)
		return;
	o->in_memory = memory_elf_read(&o->memory, mod->process, mod->start, mod->end);
	if (o->in_memory)
		memory_elf_build_id(&o->memory, &o->id);
}

static enum module_state open_any(struct opening *o)
{
	read_memory(o);
	if (!o->mod->is_vdso && (try_mapped_file(o) || try_executable(o) || try_path(o))) {
		free(o->mod->why);
		o->mod->why = NULL;
		return MODULE_FILE;
	}
	if (try_memory(o))
		return MODULE_MEMORY;
	if (!o->mod->why)
		module_complain(o->mod, "its file can't be opened");
	return MODULE_MISSING;
}

int module_find_elf(Dwfl_Module *dm, void **userdata, const char *name, Dwarf_Addr base,
                    char **file_name, Elf **elfp)
{
	(void)dm;
	(void)name;
	(void)base;
	struct module *mod = *userdata;
	if (!mod || mod->state != MODULE_UNOPENED)
		return -1;
	struct opening o = {.mod = mod, .fd = -1};
	mod->state = open_any(&o);
	mod->fd = o.fd;
	*elfp = o.elf;
	if (mod->state == MODULE_MISSING) {
		mod->phnum = 0;
		return -1;
	}
	*file_name = mem_strdup(mod->path);
	return o.fd;
}
