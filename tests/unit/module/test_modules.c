/* SPDX-License-Identifier: MIT */
#include "child.h"

#include "proc/maps.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>

/* Not among our own, nor a sanitizer's. */
#define LIBRARY        "libresolv.so.2"
#define LIBRARY_SYMBOL "__b64_ntop"

static uint64_t here(void)
{
	return (uint64_t)(uintptr_t)&here;
}

static struct module *find(const struct child *c, uint64_t addr)
{
	struct module *mod = modules_find(c->modules, addr);
	assert_non_null(mod);
	return mod;
}

/* --- what is there --- */

static void our_own_code(void **state)
{
	(void)state;
	struct child c = child_start(child_idle, NULL);
	child_open(&c);
	struct module *mod = find(&c, here());
	assert_true(module_is_main(mod));
	assert_non_null(strstr(module_path(mod), module_name(mod)));
	assert_null(strchr(module_name(mod), '/'));

	/* the same bytes at that offset of the file */
	unsigned char bytes[16];
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, bytes, sizeof bytes, (off_t)module_offset(mod, here())), 16);
	assert_memory_equal(bytes, (const void *)(uintptr_t)here(), sizeof bytes);
	close(fd);
	assert_true(modules_mapped(c.modules, here()));
	assert_true(modules_mapping(c.modules, here())->exec);
	child_end(&c);
}

static void files_are_opened_when_needed(void **state)
{
	(void)state;
	struct child c = child_start(child_idle, NULL);
	child_open(&c);
	struct modules_stats s = modules_stats(c.modules);
	assert_true(s.known >= 3);
	assert_int_equal(s.opened + s.from_memory + s.missing + s.mismatched, 0);
	struct module *mod = find(&c, here());
	assert_ptr_equal(module_dwfl(mod), dwfl_addrmodule(modules_dwfl(c.modules), here()));
	assert_non_null(module_dwfl(mod));
	assert_null(module_why(mod));
	assert_int_equal(modules_stats(c.modules).opened, 1);
	GElf_Sym sym;
	assert_string_equal(dwfl_module_addrsym(module_dwfl(mod), here(), &sym, NULL), "here");
	child_end(&c);
}

static void reads_without_the_target(void **state)
{
	(void)state;
	struct child c = child_start(child_idle, NULL);
	child_open(&c);
	struct module *mod = find(&c, here());
	static int writable = 1;
	unsigned char bytes[64];
	assert_non_null(module_dwfl(mod));
	child_kill(&c);
	assert_true(module_read(mod, here(), bytes, sizeof bytes));
	assert_memory_equal(bytes, (const void *)(uintptr_t)here(), sizeof bytes);
	assert_false(module_read(mod, (uint64_t)(uintptr_t)&writable, bytes, 4));
	assert_false(module_read(mod, 0, bytes, 1));
	assert_false(module_read(mod, UINT64_MAX, bytes, sizeof bytes));
	assert_false(module_read(mod, here(), bytes, SIZE_MAX));

	uint64_t addr, size;
	assert_true(module_eh_frame_hdr(mod, &addr, &size));
	assert_true(module_read(mod, addr, bytes, 4));
	assert_int_equal(bytes[0], 1); /* its version */
	assert_false(modules_refresh(c.modules));
	assert_ptr_equal(modules_find(c.modules, here()), mod); /* what was known stays */
	child_end(&c);
}

static void the_vdso_is_an_image(void **state)
{
	(void)state;
	uint64_t vdso = (uint64_t)getauxval(AT_SYSINFO_EHDR);
	if (!vdso)
		skip();
	struct child c = child_start(child_idle, NULL);
	child_open(&c);
	struct module *mod = find(&c, vdso);
	Dwarf_Addr bias;
	assert_string_equal(module_name(mod), "[vdso]");
	assert_int_equal(module_offset(mod, vdso + 0x123), 0x123);
	assert_non_null(module_dwfl(mod));
	assert_non_null(dwfl_module_eh_cfi(module_dwfl(mod), &bias));
	assert_true(dwfl_module_getsymtab(module_dwfl(mod)) > 1);
	assert_int_equal(modules_stats(c.modules).from_memory, 1);
	child_end(&c);
}

static void other_memory(void **state)
{
	(void)state;
	struct child c = child_start(child_idle, NULL);
	child_open(&c);
	int local = 0;
	assert_null(modules_find(c.modules, (uint64_t)(uintptr_t)&local));
	assert_true(modules_mapped(c.modules, (uint64_t)(uintptr_t)&local));
	assert_null(modules_find(c.modules, 0x10));
	assert_false(modules_mapped(c.modules, 0x10));
	assert_null(modules_mapping(c.modules, 0x10));
	child_end(&c);
}

/* --- what changes --- */

static void load_and_unload(int says, int hears, void *arg)
{
	(void)arg;
	child_say(says);
	child_hear(hears);
	void *lib = dlopen(LIBRARY, RTLD_NOW);
	child_say(says);
	child_hear(hears);
	if (lib)
		dlclose(lib);
	child_say(says);
}

/* Names go through dwfl, which must know the same modules. */
static int count_one(Dwfl_Module *dm, void **userdata, const char *name, Dwarf_Addr base, void *arg)
{
	(void)dm;
	(void)name;
	(void)base;
	assert_non_null(*userdata);
	++*(size_t *)arg;
	return DWARF_CB_OK;
}

static size_t count_modules(const struct child *c)
{
	size_t n = 0;
	dwfl_getmodules(modules_dwfl(c->modules), count_one, &n, 0);
	assert_int_equal(n, modules_stats(c->modules).known);
	return n;
}

static void libraries_come_and_go(void **state)
{
	(void)state;
	struct child c = child_start(load_and_unload, NULL);
	child_open(&c);
	struct module *mod = find(&c, here());
	Dwfl_Module *dm = module_dwfl(mod);
	uint64_t id = module_id(mod), generation = modules_generation(c.modules);
	size_t n = count_modules(&c);
	assert_false(modules_refresh(c.modules));

	child_go_on(&c);
	child_wait_for(&c);
	assert_true(modules_refresh(c.modules));
	assert_int_equal(modules_generation(c.modules), generation + 1);
	assert_int_equal(count_modules(&c), n + 1);
	assert_ptr_equal(modules_find(c.modules, here()), mod);
	assert_ptr_equal(module_dwfl(mod), dm);

	child_go_on(&c);
	child_wait_for(&c);
	assert_true(modules_refresh(c.modules));
	assert_int_equal(count_modules(&c), n);
	assert_ptr_equal(modules_find(c.modules, here()), mod);
	assert_int_equal(module_id(mod), id);
	child_end(&c);
}

/* As .NET does: code of a JIT compiler in a file without a name, mapped in parts. */
static void map_generated(int says, int hears, void *arg)
{
	void **where = arg;
	child_say(says);
	child_hear(hears);
	int fd = memfd_create("generated", MFD_CLOEXEC);
	if (ftruncate(fd, 65536) != 0)
		_exit(1);
	for (off_t at = 0; at < 65536; at += 16384)
		*where = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, at);
	child_say(says);
}

static void generated_code_is_no_module(void **state)
{
	(void)state;
	void **shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	struct child c = child_start(map_generated, shared);
	child_open(&c);
	size_t n = count_modules(&c);
	child_go_on(&c);
	child_wait_for(&c);
	assert_false(modules_refresh(c.modules)); /* nothing that caches need to know */
	assert_int_equal(count_modules(&c), n);
	struct module *mod = find(&c, (uint64_t)(uintptr_t)*shared);
	assert_true(module_is_generated(mod));
	assert_null(module_dwfl(mod));
	assert_false(module_is_generated(find(&c, here())));
	child_end(&c);
	munmap(shared, 4096);
}

static void become_sleep(int says, int hears, void *arg)
{
	(void)arg;
	child_say(says);
	child_hear(hears);
	execlp("sleep", "sleep", "60", (char *)NULL);
	_exit(1);
}

static bool has_main_named(const struct child *c, const char *name)
{
	modules_refresh(c->modules);
	size_t len;
	char *text = process_slurp(c->process, "maps", &len);
	struct maps *maps = maps_parse(text ? text : "", text ? len : 0);
	bool found = false;
	for (size_t i = 0; i < maps->len; i++) {
		struct module *mod = modules_find(c->modules, maps->list[i].start);
		found = found || (mod && module_is_main(mod) && !strcmp(module_name(mod), name));
	}
	maps_free(maps);
	free(text);
	return found;
}

static void exec_changes_everything(void **state)
{
	(void)state;
	struct child c = child_start(become_sleep, NULL);
	child_open(&c);
	uint64_t id = module_id(find(&c, here()));
	assert_false(has_main_named(&c, "sleep"));
	child_go_on(&c);
	for (int i = 0; i < 2000 && !has_main_named(&c, "sleep"); i++)
		usleep(1000);
	if (!has_main_named(&c, "sleep"))
		skip(); /* a multi-call binary by another name */
	struct module *mod = modules_find(c.modules, here());
	assert_true(!mod || module_id(mod) != id);
	child_end(&c);
}

/* --- the right file --- */

struct copied {
	char folder[32];
	char path[64];
};

static void copy_file(const char *from, const char *to)
{
	char buf[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	assert_true(in >= 0 && out >= 0);
	for (ssize_t n; (n = read(in, buf, sizeof buf)) > 0;)
		assert_int_equal(write(out, buf, (size_t)n), n);
	close(in);
	close(out);
}

/* The path of a library that is loaded in us, or can be. */
static void library_path(const char *name, char out[4096])
{
	struct link_map *map = NULL;
	void *lib = dlopen(name, RTLD_NOW);
	assert_non_null(lib);
	assert_int_equal(dlinfo(lib, RTLD_DI_LINKMAP, &map), 0);
	snprintf(out, 4096, "%s", map->l_name);
	dlclose(lib);
}

static struct copied copy_library(void)
{
	struct copied f = {.folder = "/tmp/memtop-test-XXXXXX"};
	char path[4096];
	assert_non_null(mkdtemp(f.folder));
	snprintf(f.path, sizeof f.path, "%s/lib-copy.so", f.folder);
	library_path(LIBRARY, path);
	copy_file(path, f.path);
	return f;
}

static void remove_copy(const struct copied *f)
{
	unlink(f->path);
	rmdir(f->folder);
}

static void load_copy(int says, int hears, void *arg)
{
	const struct copied *f = arg;
	(void)hears;
	if (!dlopen(f->path, RTLD_NOW))
		_exit(1);
	child_say(says);
}

static struct module *find_by_name(const struct child *c, const char *name)
{
	size_t len;
	char *text = process_slurp(c->process, "maps", &len);
	struct maps *maps = maps_parse(text, len);
	struct module *found = NULL;
	for (size_t i = 0; i < maps->len && !found; i++) {
		struct module *mod = modules_find(c->modules, maps->list[i].start);
		if (mod && strcmp(module_name(mod), name) == 0)
			found = mod;
	}
	maps_free(maps);
	free(text);
	assert_non_null(found);
	return found;
}

static void check_image(struct module *mod)
{
	Dwarf_Addr bias;
	uint64_t addr, size;
	Dwfl_Module *dm = module_dwfl(mod);
	assert_non_null(dm);
	assert_non_null(dwfl_module_eh_cfi(dm, &bias));
	assert_true(module_eh_frame_hdr(mod, &addr, &size));
	unsigned char version = 0;
	assert_true(module_read(mod, addr, &version, 1));
	assert_int_equal(version, 1);
	bool found = false; /* a name from .dynsym */
	int n = dwfl_module_getsymtab(dm);
	for (int i = 1; i < n && !found; i++) {
		GElf_Sym sym;
		GElf_Addr at;
		const char *name = dwfl_module_getsym_info(dm, i, &sym, &at, NULL, NULL, NULL);
		found = name && strcmp(name, LIBRARY_SYMBOL) == 0 && module_offset(mod, at) != 0 &&
		        module_read(mod, at, &version, 1);
	}
	assert_true(found);
}

static void a_deleted_library_is_rebuilt(void **state)
{
	(void)state;
	struct copied f = copy_library();
	struct child c = child_start(load_copy, &f);
	unlink(f.path);
	drop_map_files_privilege();
	child_open(&c);
	check_image(find_by_name(&c, "lib-copy.so"));
	struct modules_stats s = modules_stats(c.modules);
	assert_int_equal(s.from_memory, 1);
	assert_int_equal(s.mismatched, 0);
	child_end(&c);
	remove_copy(&f);
}

static void load_from_memory(int says, int hears, void *arg)
{
	char path[64];
	int fd = memfd_create("library", 0);
	(void)hears;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	copy_file(((const struct copied *)arg)->path, path);
	if (!dlopen(path, RTLD_NOW))
		_exit(1);
	child_say(says);
}

static void a_library_without_a_name(void **state)
{
	(void)state;
	struct copied f = copy_library();
	struct child c = child_start(load_from_memory, &f);
	drop_map_files_privilege();
	child_open(&c);
	struct module *mod = find_by_name(&c, "memfd:library");
	assert_false(module_is_generated(mod));
	check_image(mod);
	child_end(&c);
	remove_copy(&f);
}

/* Maps another part of the library's file over all of it. */
static void load_and_shift(int says, int hears, void *arg)
{
	const struct copied *f = arg;
	char text[65536];
	uint64_t start = 0, end = 0;
	int lib = open(f->path, O_RDONLY | O_CLOEXEC);
	if (!dlopen(f->path, RTLD_NOW))
		_exit(1);
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	for (ssize_t n; (n = read(fd, text + len, sizeof text - len)) > 0;)
		len += (size_t)n;
	struct maps *maps = maps_parse(text, len);
	for (size_t i = 0; i < maps->len; i++)
		if (strcmp(maps->list[i].name, f->path) == 0) {
			start = start ? start : maps->list[i].start;
			end = maps->list[i].end;
		}
	child_say(says);
	child_hear(hears);
	if (mmap((void *)(uintptr_t)start, end - start, PROT_READ | PROT_EXEC,
	         MAP_PRIVATE | MAP_FIXED, lib, 4096) == MAP_FAILED)
		_exit(1);
	child_say(says);
}

static void another_part_is_another_module(void **state)
{
	(void)state;
	struct copied f = copy_library();
	struct child c = child_start(load_and_shift, &f);
	unlink(f.path);
	drop_map_files_privilege();
	child_open(&c);
	struct module *mod = find_by_name(&c, "lib-copy.so");
	uint64_t id = module_id(mod);
	check_image(mod);
	child_go_on(&c);
	child_wait_for(&c);
	assert_true(modules_refresh(c.modules));
	mod = find_by_name(&c, "lib-copy.so");
	assert_int_not_equal(module_id(mod), id);
	assert_null(module_dwfl(mod)); /* above all not the old one, whose image is freed */
	child_end(&c);
	remove_copy(&f);
}

static void another_build_is_refused(void **state)
{
	(void)state;
	struct copied f = copy_library();
	struct child c = child_start(load_copy, &f);
	char other[4096];
	unlink(f.path);
	library_path("libc.so.6", other);
	copy_file(other, f.path);
	drop_map_files_privilege();
	child_open(&c);
	struct module *mod = find_by_name(&c, "lib-copy.so");
	check_image(mod);
	assert_non_null(module_why(mod));
	struct modules_stats s = modules_stats(c.modules);
	assert_int_equal(s.from_memory, 1);
	assert_int_equal(s.mismatched, 1);
	assert_int_equal(s.opened, 0);
	child_end(&c);
	remove_copy(&f);
}

static void no_fifo_is_waited_for(void **state)
{
	(void)state;
	struct copied f = copy_library();
	struct child c = child_start(load_copy, &f);
	unlink(f.path);
	assert_int_equal(mkfifo(f.path, 0600), 0);
	drop_map_files_privilege();
	child_open(&c);
	check_image(find_by_name(&c, "lib-copy.so"));
	child_end(&c);
	remove_copy(&f);
}

static void exec_copy(int says, int hears, void *arg)
{
	const struct copied *f = arg;
	(void)hears;
	child_say(says);
	execl(f->path, "sleep", "60", (char *)NULL);
	_exit(1);
}

static void a_deleted_executable_is_still_open(void **state)
{
	(void)state;
	struct copied f = {.folder = "/tmp/memtop-test-XXXXXX"};
	assert_non_null(mkdtemp(f.folder));
	snprintf(f.path, sizeof f.path, "%s/sleep", f.folder);
	copy_file("/bin/sleep", f.path);
	struct child c = child_start(exec_copy, &f);
	drop_map_files_privilege();
	child_open(&c);
	for (int i = 0; i < 2000 && !has_main_named(&c, "sleep"); i++)
		usleep(1000);
	remove_copy(&f);
	modules_refresh(c.modules);
	struct module *mod = find_by_name(&c, "sleep");
	assert_true(module_is_main(mod));
	assert_non_null(module_dwfl(mod));
	assert_int_equal(modules_stats(c.modules).opened, 1);
	child_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(our_own_code),
	        cmocka_unit_test(files_are_opened_when_needed),
	        cmocka_unit_test(reads_without_the_target),
	        cmocka_unit_test(the_vdso_is_an_image),
	        cmocka_unit_test(other_memory),
	        cmocka_unit_test(libraries_come_and_go),
	        cmocka_unit_test(generated_code_is_no_module),
	        cmocka_unit_test(exec_changes_everything),
	        cmocka_unit_test(a_deleted_library_is_rebuilt),
	        cmocka_unit_test(a_library_without_a_name),
	        cmocka_unit_test(another_part_is_another_module),
	        cmocka_unit_test(another_build_is_refused),
	        cmocka_unit_test(no_fifo_is_waited_for),
	        cmocka_unit_test(a_deleted_executable_is_still_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
