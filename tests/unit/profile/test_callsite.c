/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "profile/callsite.h"

#include <stdlib.h>
#include <string.h>

static void check(const char *function, const char *module, bool inlined, bool plumbing)
{
	const struct frame f = {
	        .function = function, .module = module, .inlined = inlined, .line = 1};
	if (callsite_is_plumbing(&f) != plumbing)
		fail_msg("%s in %s%s %s plumbing", function, module ? module : "nothing",
		         inlined ? ", inlined," : "", plumbing ? "should be" : "is no");
}

static void by_module(void **state)
{
	(void)state;
	static const char *const yes[] = {"libc.so.6",
	                                  "libc-2.31.so",
	                                  "ld-linux-x86-64.so.2",
	                                  "ld-2.31.so",
	                                  "libpthread.so.0",
	                                  "libm.so.6",
	                                  "libjemalloc.so.2",
	                                  "libtcmalloc.so.4",
	                                  "libmimalloc.so.2",
	                                  "libstdc++.so.6",
	                                  "libc++.so.1",
	                                  "libc++abi.so.1",
	                                  "libgcc_s.so.1",
	                                  "ld-musl-x86_64.so.1",
	                                  "[vdso]",
	                                  "libtcmalloc_minimal.so.4"};
	static const char *const no[] = {"server",
	                                 "libcurl.so.4",
	                                 "libcrypto.so.3",
	                                 "libmagic.so.1",
	                                 "mylibc.so",
	                                 "ldap",
	                                 "",
	                                 "libpython3.11.so.1.0",
	                                 "[heap]"};
	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
		check("anything", yes[i], false, true);
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
		check("anything", no[i], false, false);
	check("anything", NULL, false, false);
	check("outstring_func", "libc.so.6", true, true); /* inlined, and still the library */
}

static void by_name(void **state)
{
	(void)state;
	static const char *const yes[] = {
	        "malloc",
	        "calloc",
	        "realloc",
	        "posix_memalign",
	        "mmap64",
	        "memset",
	        "memcpy",
	        "strdup",
	        "_int_malloc",
	        "sysmalloc",
	        "__libc_malloc",
	        "__memset_avx2_unaligned_erms",
	        "__mmap",
	        "je_arena_malloc",
	        "operator new(unsigned long)",
	        "operator new[](unsigned long)",
	        "operator delete(void*)",
	        "std::allocator<char>::allocate(unsigned long)",
	        "std::vector<int, std::allocator<int> >::reserve(unsigned long)",
	        "void std::vector<int, std::allocator<int> >::_M_realloc_insert<int>(int&&)",
	        "int& std::vector<int, std::allocator<int> >::emplace_back<int>(int&&)",
	        "std::_Function_handler<void (), app::run()::{lambda()#1}>::_M_invoke()",
	        "__gnu_cxx::new_allocator<int>::allocate(unsigned long)",
	        "__rust_alloc",
	        "__rdl_alloc",
	        "alloc::vec::Vec<T>::push",
	        "alloc::raw_vec::finish_grow",
	        "<alloc::string::String as core::fmt::Write>::write_str",
	        "core::ops::function::FnOnce::call_once",
	        "hashbrown::raw::RawTable<T>::reserve_rehash",
	        "std::rt::lang_start",
	};
	static const char *const no[] = {
	        "main",
	        "mallocate",
	        "my_malloc",
	        "free_list_grow",
	        "memsetter",
	        "",
	        "app::load(std::string)",
	        "app::std::load()",
	        "alloc::grow(int)", /* C++: no library of Rust's */
	        "core::run()",
	        "mystd::vector::push",
	        "my::operator new_thing",
	        "void app::fill<std::vector<int> >(int)",
	        "(anonymous namespace)::run()",
	        "app::run()::{lambda()#1}::operator()() const",
	        "[truncated]",
	};
	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
		check(yes[i], "server", false, true);
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
		check(no[i], "server", false, false);
}

/* What a function returns doesn't make it plumbing. */
static void return_types(void **state)
{
	(void)state;
	check("std::vector<int, std::allocator<int> > app::load<int>(unsigned long)", "server",
	      false, false);
	check("std::unique_ptr<app::Node> app::make<app::Node>()", "server", false, false);
	check("std::string load<char>(char const*)", "server", false, false);
	check("std::shared_ptr<int> std::make_shared<int, int>(int&&)", "server", false, true);
}

static uint32_t frame(struct stack_table *t, const char *function, int line)
{
	return stack_table_frame(t, &(struct frame){.function = function, .line = line});
}

static void innermost_that_is_none(void **state)
{
	(void)state;
	struct stack_table *t = stack_table_new();
	uint32_t malloc_ = frame(t, "malloc", 0), memset_ = frame(t, "memset", 0);
	uint32_t load = frame(t, "load", 5), main_ = frame(t, "main", 9);
	uint32_t command = frame(t, "malloc-bench", -1), cut = frame(t, "[truncated]", -1);
	const uint32_t a[] = {memset_, malloc_, load, main_, command};
	assert_int_equal(callsite_of(t, a, 5), 2);
	const uint32_t b[] = {load, main_};
	assert_int_equal(callsite_of(t, b, 2), 0);
	const uint32_t c[] = {memset_, malloc_, command}; /* a heading is no call site */
	assert_int_equal(callsite_of(t, c, 3), 0);
	const uint32_t d[] = {memset_, malloc_, cut, command};
	assert_int_equal(callsite_of(t, d, 4), 0);
	assert_int_equal(callsite_of(t, a, 0), 0);
	stack_table_free(t);
}

static void table(void **state)
{
	(void)state;
	struct stack_table *t = stack_table_new();
	uint32_t malloc_ = frame(t, "malloc", 0), load = frame(t, "load", 5);
	uint32_t store = frame(t, "store", 6), main_ = frame(t, "main", 9);
	const uint32_t s0[] = {malloc_, load, main_}, s1[] = {load, main_}, s2[] = {store, main_};
	const uint32_t s3[] = {malloc_, store, main_}, s4[] = {main_};
	stack_table_stack(t, s0, 3);
	stack_table_stack(t, s1, 2);
	stack_table_stack(t, s2, 2);
	stack_table_stack(t, s3, 3);
	stack_table_stack(t, s4, 1);
	stack_table_stack(t, s4, 0);
	uint64_t bytes[] = {10, 30, 70, 25, 0, 99};
	struct attribution a = {.bytes = bytes, .len = 6};
	size_t len;
	struct callsite *c = callsites(t, &a, &len);
	assert_int_equal(len, 4); /* by its own touch and through malloc; main has none */
	static const uint64_t expected[] = {70, 30, 25, 10};
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(c[i].bytes, expected[i]);
		assert_int_equal(c[i].heaviest_bytes, expected[i]);
		assert_int_equal(c[i].frame, i % 2 ? load : store);
		assert_int_equal(bytes[c[i].heaviest], expected[i]);
	}
	free(c);
	bytes[1] = 70; /* of equal growth, in the order of their frames */
	c = callsites(t, &a, &len);
	assert_int_equal(c[0].frame, load < store ? load : store);
	free(c);
	a.len = 0;
	c = callsites(t, &a, &len);
	assert_int_equal(len, 0);
	free(c);
	stack_table_free(t);
}

/* The lines of a function that touches memory itself are one; those that call malloc are not. */
static void lines(void **state)
{
	(void)state;
	struct stack_table *t = stack_table_new();
	uint32_t malloc_ = frame(t, "malloc", 0), main_ = frame(t, "main", 9);
	uint32_t five = frame(t, "load", 5), six = frame(t, "load", 6);
	const uint32_t s[][3] = {
	        {five, main_}, {six, main_}, {malloc_, five, main_}, {malloc_, six, main_}};
	stack_table_stack(t, s[0], 2);
	stack_table_stack(t, s[1], 2);
	stack_table_stack(t, s[2], 3);
	stack_table_stack(t, s[3], 3);
	uint64_t bytes[] = {10, 15, 7, 8};
	struct attribution a = {.bytes = bytes, .len = 4};
	size_t len;
	struct callsite *c = callsites(t, &a, &len);
	assert_int_equal(len, 3);
	assert_int_equal(c[0].bytes, 25);
	assert_int_equal(c[0].frame, six); /* the line that counts most */
	assert_int_equal(c[0].heaviest, 1);
	assert_int_equal(c[0].heaviest_bytes, 15);
	assert_int_equal(c[1].bytes, 8);
	assert_int_equal(c[1].frame, six);
	assert_int_equal(c[2].bytes, 7);
	assert_int_equal(c[2].frame, five);
	free(c);
	stack_table_free(t);
}

/* Nothing is lost, and the largest come first. */
static void sums(void **state)
{
	(void)state;
	struct rng r = rng_seeded(19);
	struct stack_table *t = stack_table_new();
	static char names[40][8];
	uint64_t bytes[500], whole = 0;
	for (int i = 0; i < 40; i++) {
		names[i][0] = (char)('a' + i % 26);
		names[i][1] = (char)('a' + i / 26);
	}
	for (uint32_t s = 0; s < 500; s++) {
		uint32_t frames[8];
		size_t n = 1 + rng_next(&r) % 8;
		for (size_t i = 0; i < n; i++)
			frames[i] =
			        frame(t, rng_next(&r) % 3 ? names[rng_next(&r) % 40] : "malloc", 1);
		if (stack_table_stack(t, frames, n) != stack_table_stacks(t) - 1)
			s--; /* seen before */
	}
	for (uint32_t s = 0; s < 500; s++)
		whole += bytes[s] = rng_next(&r) % 3 ? rng_next(&r) >> 20 : 0;
	struct attribution a = {.bytes = bytes, .len = 500};
	size_t len;
	struct callsite *c = callsites(t, &a, &len);
	uint64_t all = 0;
	for (size_t i = 0; i < len; i++) {
		all += c[i].bytes;
		assert_true(c[i].bytes > 0);
		assert_true(i == 0 || c[i].bytes <= c[i - 1].bytes);
		assert_int_equal(c[i].heaviest_bytes, bytes[c[i].heaviest]);
		assert_true(c[i].heaviest_bytes <= c[i].bytes);
		for (size_t k = 0, same = 0; k < i; k++) /* as a leaf, and as a caller */
			assert_true((same += c[i].frame == c[k].frame) <= 1);
	}
	assert_int_equal(all, whole);
	free(c);
	stack_table_free(t);
}

/* Names are hostile: brackets that don't match, none of what is looked for. */
static void hostile_names(void **state)
{
	(void)state;
	static const char *const names[] = {
	        "<",    ">",    "(",          "<<<<(",          ">>>>(",        " (",
	        "a b(", "((((", "> >std::x(", "operator<(int)", "operator->()", "\xff("};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const struct frame f = {.function = names[i], .module = "\xff"};
		assert_false(callsite_is_plumbing(&f) && strcmp(names[i], "> >std::x(") != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(by_module),    cmocka_unit_test(by_name),
	        cmocka_unit_test(return_types), cmocka_unit_test(innermost_that_is_none),
	        cmocka_unit_test(table),        cmocka_unit_test(sums),
	        cmocka_unit_test(lines),        cmocka_unit_test(hostile_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
