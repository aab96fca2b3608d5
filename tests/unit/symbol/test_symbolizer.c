/* SPDX-License-Identifier: MIT */
#include "../module/child.h"

#include "base/intern.h"
#include "symbol/symbolizer.h"

#include <dlfcn.h>
#include <sys/auxv.h>
#include <sys/mman.h>

struct scene {
	struct child child;
	struct intern *strings;
	struct symbolizer *symbolizer;
};

static struct scene scene_open(child_body *body, void *arg, bool inlines)
{
	struct scene s = {.child = child_start(body, arg)};
	child_open(&s.child);
	s.strings = intern_new();
	s.symbolizer = symbolizer_new(s.child.modules, s.strings,
	                              &(struct symbolizer_config){.inlines = inlines});
	return s;
}

static void scene_close(struct scene *s)
{
	symbolizer_free(s->symbolizer);
	intern_free(s->strings);
	child_end(&s->child);
}

static const struct frame *look_up(struct scene *s, uint64_t pc, bool exact, size_t *n)
{
	return symbolizer_lookup(s->symbolizer, (struct chain_frame){pc, exact}, n);
}

static const struct frame *look_up_one(struct scene *s, uint64_t pc, bool exact)
{
	size_t n;
	const struct frame *f = look_up(s, pc, exact, &n);
	assert_int_equal(n, 1);
	return f;
}

/* --- functions whose place is known --- */

static volatile int sink;

static __attribute__((noinline)) void plain_function(void)
{
	sink++;
}
enum { PLAIN_LINE = __LINE__ - 4 };

static inline __attribute__((always_inline)) uint64_t inner(void)
{
	uint64_t pc;
	__asm__ volatile("lea 0(%%rip), %0\n\tnop" : "=r"(pc)); /* the address of the nop */
	return pc;
}
enum { INNER_LINE = __LINE__ - 3 };

static inline __attribute__((always_inline)) uint64_t middle(void)
{
	sink++;
	return inner();
}
enum { MIDDLE_LINE = __LINE__ - 2 };

static __attribute__((noinline)) uint64_t outer(void)
{
	sink++;
	return middle();
}
enum { OUTER_LINE = __LINE__ - 2 };

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n >= m && strcmp(s + n - m, end) == 0;
}

static void expect_place(const struct frame *f, const char *function, int line)
{
	assert_string_equal(f->function, function);
	assert_true(f->named);
	assert_non_null(f->module);
	assert_non_null(f->file); /* tests are built with -g */
	assert_true(ends_with(f->file, "test_symbolizer.c"));
	assert_int_equal(f->line, line);
}

static void a_function_and_its_line(void **state)
{
	(void)state;
	struct scene s = scene_open(child_idle, NULL, true);
	uint64_t addr = (uint64_t)(uintptr_t)&plain_function;
	const struct frame *f = look_up_one(&s, addr, true);
	assert_in_range(f->line, PLAIN_LINE, PLAIN_LINE + 2);
	expect_place(f, "plain_function", f->line);
	assert_false(f->inlined);
	assert_ptr_equal(look_up_one(&s, addr, true), f); /* cached */
	/* A return address is looked up in the call before it. */
	assert_ptr_equal(look_up_one(&s, addr + 1, false), f);
	size_t n;
	assert_string_not_equal(look_up(&s, addr, false, &n)[n - 1].function, "plain_function");
	scene_close(&s);
}

static void inlined_functions(void **state)
{
	(void)state;
	struct scene s = scene_open(child_idle, NULL, true);
	size_t n;
	const struct frame *f = look_up(&s, outer(), true, &n);
	assert_int_equal(n, 3);
	expect_place(&f[0], "inner", INNER_LINE);
	expect_place(&f[1], "middle", MIDDLE_LINE);
	expect_place(&f[2], "outer", OUTER_LINE);
	assert_true(f[0].inlined && f[1].inlined && !f[2].inlined);
	scene_close(&s);
}

static void inlined_functions_left_out(void **state)
{
	(void)state;
	struct scene s = scene_open(child_idle, NULL, false);
	expect_place(look_up_one(&s, outer(), true), "outer", OUTER_LINE);
	scene_close(&s);
}

static void a_library_function(void **state)
{
	(void)state;
	struct scene s = scene_open(child_idle, NULL, true);
	size_t n;
	const struct frame *f = look_up(&s, (uint64_t)(uintptr_t)&srand48, true, &n);
	assert_string_equal(f[n - 1].function, "srand48"); /* no version */
	assert_true(strncmp(f[n - 1].module, "libc", 4) == 0);
	scene_close(&s);
}

static void without_a_symbol(void **state)
{
	(void)state;
	struct scene s = scene_open(child_idle, NULL, true);
	struct module *mod = modules_find(s.child.modules, (uint64_t)(uintptr_t)&plain_function);
	uint64_t start;
	dwfl_module_info(module_dwfl(mod), NULL, &start, NULL, NULL, NULL, NULL, NULL);
	char expected[256];
	snprintf(expected, sizeof expected, "%s+0x20", module_name(mod));
	const struct frame *f = look_up_one(&s, start + 0x20, true); /* the ELF header */
	assert_string_equal(f->function, expected);
	assert_string_equal(f->module, module_name(mod));
	assert_false(f->named);
	assert_null(f->file);
	assert_ptr_equal(look_up_one(&s, start + 0x21, false)->function, f->function);
	scene_close(&s);
}

static void the_vdso(void **state)
{
	(void)state;
	uint64_t vdso = (uint64_t)getauxval(AT_SYSINFO_EHDR);
	if (!vdso)
		skip();
	struct scene s = scene_open(child_idle, NULL, true);
	const struct frame *f = look_up_one(&s, vdso + 8, true);
	assert_string_equal(f->module, "[vdso]");
	assert_string_equal(f->function, "[vdso]+0x8");
	scene_close(&s);
}

static void map_code(int says, int hears, void *arg)
{
	void **where = arg;
	(void)hears;
	*where = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
	              -1, 0);
	child_say(says);
}

static void code_without_a_file(void **state)
{
	(void)state;
	void **shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	struct scene s = scene_open(map_code, shared, true);
	uint64_t code = (uint64_t)(uintptr_t)*shared;
	const struct frame *jit = look_up_one(&s, code + 16, false);
	assert_string_equal(jit->function, "[jit]");
	assert_null(jit->module);
	assert_false(jit->named);
	assert_ptr_equal(look_up_one(&s, code + 32, true), jit);
	int local;
	assert_string_equal(look_up_one(&s, (uint64_t)(uintptr_t)&local, true)->function,
	                    "[stack]");
	assert_string_equal(look_up_one(&s, 16, true)->function, "[unknown]");
	assert_string_equal(look_up_one(&s, 0, false)->function, "[unknown]");
	scene_close(&s);
	munmap(shared, 4096);
}

/* As V8 does with its builtins. */
static void map_text_again(int says, int hears, void *arg)
{
	const uint64_t *offset = arg;
	void **where = arg;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	(void)hears;
	*where = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, (off_t)*offset);
	child_say(says);
}

static void text_mapped_again(void **state)
{
	(void)state;
	union {
		uint64_t offset;
		void *where;
	} *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	struct scene s = scene_open(child_idle, NULL, true);
	uint64_t code = (uint64_t)(uintptr_t)&plain_function, page = code & ~UINT64_C(4095);
	shared->offset = module_offset(modules_find(s.child.modules, code), page);
	assert_int_not_equal(shared->offset, 0);
	scene_close(&s);

	s = scene_open(map_text_again, shared, true);
	uint64_t again = (uint64_t)(uintptr_t)shared->where + (code - page);
	assert_int_equal(modules_canonical(s.child.modules, again), code);
	assert_int_equal(modules_canonical(s.child.modules, code), code);
	assert_int_equal(modules_canonical(s.child.modules, 16), 16);
	assert_string_equal(look_up_one(&s, again, true)->function, "plain_function");
	assert_int_equal(modules_stats(s.child.modules).missing, 0);
	scene_close(&s);
	munmap(shared, 4096);
}

static void after_a_change(void **state)
{
	(void)state;
	struct scene s = scene_open(child_idle, NULL, true);
	uint64_t addr = (uint64_t)(uintptr_t)&plain_function;
	const char *name = look_up_one(&s, addr, true)->function;
	symbolizer_modules_changed(s.symbolizer);
	assert_ptr_equal(look_up_one(&s, addr, true)->function, name); /* interned */
	scene_close(&s);
}

static void load_and_unload(int says, int hears, void *arg)
{
	void **where = arg;
	void *lib = dlopen("libresolv.so.2", RTLD_NOW);
	*where = lib ? dlsym(lib, "__b64_ntop") : NULL;
	child_say(says);
	child_hear(hears);
	if (lib)
		dlclose(lib);
	child_say(says);
}

/* Nothing of an unloaded module is touched again; others keep their tables. */
static void a_library_goes(void **state)
{
	(void)state;
	void **shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	struct scene s = scene_open(load_and_unload, shared, true);
	uint64_t there = (uint64_t)(uintptr_t)*shared, here = (uint64_t)(uintptr_t)&plain_function;
	size_t n;
	const struct frame *f = look_up(&s, there, true, &n);
	assert_string_equal(f[n - 1].function, "__b64_ntop");
	const char *name = look_up_one(&s, here, true)->function;
	child_go_on(&s.child);
	child_wait_for(&s.child);
	assert_true(modules_refresh(s.child.modules));
	symbolizer_modules_changed(s.symbolizer);
	assert_string_equal(look_up_one(&s, there, true)->function, "[unknown]");
	assert_ptr_equal(look_up_one(&s, here, true)->function, name);
	scene_close(&s);
	munmap(shared, 4096);
}

int main(void)
{
	plain_function();
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_function_and_its_line),
	        cmocka_unit_test(inlined_functions),
	        cmocka_unit_test(inlined_functions_left_out),
	        cmocka_unit_test(a_library_function),
	        cmocka_unit_test(without_a_symbol),
	        cmocka_unit_test(the_vdso),
	        cmocka_unit_test(code_without_a_file),
	        cmocka_unit_test(text_mapped_again),
	        cmocka_unit_test(after_a_change),
	        cmocka_unit_test(a_library_goes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
