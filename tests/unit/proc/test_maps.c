/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "proc/maps.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* The copy ends where the text ends, so that a sanitizer sees a byte read too many. */
static struct maps *parse(const char *text)
{
	size_t len = strlen(text);
	char *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	memcpy(copy, text, len);
	struct maps *m = maps_parse(copy, len);
	free(copy);
	assert_non_null(m);
	return m;
}

static void one_of_each(void **state)
{
	(void)state;
	struct maps *m = parse(
	        "55d0c0a00000-55d0c0a02000 r--p 00001000 fd:12 1234567                    "
	        "/usr/bin/x\n"
	        "55d0c0b00000-55d0c0b02000 rw-p 00000000 00:00 0                          [heap]\n"
	        "7f0000000000-7f0000001000 ---p 00000000 00:00 0 \n"
	        "7f0000001000-7f0000002000 rwxs 00000000 00:05 9                          /a b  c\n"
	        "7f0000002000-7f0000003000 r-xp 00000000 fd:12 8   /gone (deleted)\n"
	        "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  "
	        "[vsyscall]\n");
	assert_int_equal(m->len, 6);
	assert_int_equal(m->bad_lines, 0);
	const struct mapping *a = m->list;
	assert_int_equal(a[0].start, 0x55d0c0a00000);
	assert_int_equal(a[0].end, 0x55d0c0a02000);
	assert_int_equal(a[0].offset, 0x1000);
	assert_int_equal(a[0].dev, makedev(0xfd, 0x12));
	assert_int_equal(a[0].inode, 1234567);
	assert_true(a[0].read && !a[0].write && !a[0].exec && !a[0].shared && !a[0].deleted);
	assert_string_equal(a[0].name, "/usr/bin/x");
	assert_string_equal(a[1].name, "[heap]");
	assert_int_equal(a[1].inode, 0);
	assert_true(a[1].read && a[1].write && !a[1].exec);
	assert_string_equal(a[2].name, "");
	assert_true(!a[2].read && !a[2].write && !a[2].exec && !a[2].shared);
	assert_string_equal(a[3].name, "/a b  c");
	assert_true(a[3].read && a[3].write && a[3].exec && a[3].shared);
	assert_string_equal(a[4].name, "/gone");
	assert_true(a[4].deleted);
	assert_string_equal(a[5].name, "[vsyscall]");
	assert_int_equal(a[5].end, UINT64_C(0xffffffffff601000));
	maps_free(m);
	maps_free(NULL);
}

static void check_name(const char *inode, const char *written, const char *name, bool deleted)
{
	char text[300];
	snprintf(text, sizeof text, "1000-2000 r--p 00000000 08:01 %s    %s\n", inode, written);
	struct maps *m = parse(text);
	assert_int_equal(m->len, 1);
	assert_string_equal(m->list[0].name, name);
	assert_int_equal(m->list[0].deleted, deleted);
	maps_free(m);
}

static void hostile_names(void **state)
{
	(void)state;
	check_name("5", "/a\\012b", "/a\nb", false);
	check_name("5", "/\\012\\012", "/\n\n", false);
	check_name("5", "/a\\013b\\", "/a\\013b\\", false);
	check_name("5", "/a\\01", "/a\\01", false);
	check_name("5", "/x (deleted) (deleted)", "/x (deleted)", true);
	check_name("5", "/x (deleted)y", "/x (deleted)y", false);
	check_name("5", "/x(deleted)", "/x(deleted)", false);
	check_name("0", "[anon:x (deleted)]", "[anon:x (deleted)]", false);
	check_name("0", "[anon:x] (deleted)", "[anon:x] (deleted)", false); /* no file */
	check_name("5", "/1000-2000 r--p 00000000 08:01 5", "/1000-2000 r--p 00000000 08:01 5",
	           false);
	check_name("5", "/\x1b[2J\xff", "/\x1b[2J\xff", false); /* raw: output makes it printable */
	check_name("18446744073709551615", "/x", "/x", false);
}

static void bad_lines_are_counted(void **state)
{
	(void)state;
	static const char *const bad[] = {
	        "",
	        " ",
	        "garbage",
	        "1000",
	        "1000-",
	        "1000-2000",
	        "1000-2000 ",
	        "1000-2000 r",
	        "1000-2000 r--",
	        "1000-2000 r--p",
	        "1000-2000 r--p ",
	        "1000-2000 r--p 0",
	        "1000-2000 r--p 0 ",
	        "1000-2000 r--p 0 08",
	        "1000-2000 r--p 0 08:",
	        "1000-2000 r--p 0 08:01",
	        "1000-2000 r--p 0 08:01 ",
	        "1000-2000 r--p 0 08:01 x",
	        "1000-2000r--p 0 08:01 5 /x",
	        "1000-2000 r--p0 08:01 5 /x",
	        "1000+2000 r--p 0 08:01 5 /x",
	        "g000-2000 r--p 0 08:01 5 /x",
	        "2000-1000 r--p 0 08:01 5 /x",                               /* backwards */
	        "1000-1000 r--p 0 08:01 5 /x",                               /* empty */
	        "ffffffffffffffffff-ffffffffffffffffffff r--p 0 08:01 5 /x", /* too large */
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char text[400];
		snprintf(text, sizeof text,
		         "100-200 r--p 0 0:0 0\n%s\n3000-4000 r--p 0 08:01 5 /after\n", bad[i]);
		struct maps *m = parse(text);
		if (m->len != 2 || m->bad_lines != 1)
			fail_msg("\"%s\": %zu mappings, %zu bad lines", bad[i], m->len,
			         m->bad_lines);
		assert_string_equal(m->list[1].name, "/after");
		maps_free(m);
	}
}

static void overlaps_are_left_out(void **state)
{
	(void)state;
	struct maps *m = parse("1000-3000 r--p 0 0:0 0\n"
	                       "2000-4000 r--p 0 0:0 0\n"   /* overlaps */
	                       "100-200 r--p 0 0:0 0\n"     /* goes back */
	                       "3000-4000 rw-p 0 0:0 0\n"); /* touches: fine */
	assert_int_equal(m->len, 2);
	assert_int_equal(m->bad_lines, 2);
	assert_int_equal(m->list[1].start, 0x3000);
	maps_free(m);
}

static void cut_text(void **state)
{
	(void)state;
	static const char whole[] = "1000-2000 r--p 00000000 08:01 5    /first\n"
	                            "3000-4000 rw-p 00000010 08:01 6    /second (deleted)\n";
	for (size_t len = 0; len < sizeof whole; len++) {
		char *copy = malloc(len + 1);
		assert_non_null(copy);
		memcpy(copy, whole, len);
		struct maps *m = maps_parse(copy, len);
		free(copy);
		assert_true(m->len <= 2);
		if (len >= 41)
			assert_string_equal(m->list[0].name, "/first");
		if (len >= sizeof whole - 2) {
			assert_int_equal(m->len, 2);
			assert_string_equal(m->list[1].name, "/second");
			assert_int_equal(m->bad_lines, 0);
		}
		maps_free(m);
	}
}

static void nul_ends_it(void **state)
{
	(void)state;
	static const char text[] = "1000-2000 r--p 0 0:0 0\n\0003000-4000 r--p 0 0:0 0\n";
	struct maps *m = maps_parse(text, sizeof text - 1);
	assert_int_equal(m->len, 1);
	maps_free(m);
}

static void find(void **state)
{
	(void)state;
	struct maps *m = parse("1000-2000 r--p 0 0:0 0\n"
	                       "2000-3000 r--p 0 0:0 0\n"
	                       "5000-6000 r--p 0 0:0 0\n"
	                       "fffffffffffff000-ffffffffffffffff r--p 0 0:0 0\n");
	assert_null(maps_find(m, 0));
	assert_null(maps_find(m, 0xfff));
	assert_ptr_equal(maps_find(m, 0x1000), &m->list[0]);
	assert_ptr_equal(maps_find(m, 0x1fff), &m->list[0]);
	assert_ptr_equal(maps_find(m, 0x2000), &m->list[1]);
	assert_null(maps_find(m, 0x3000));
	assert_null(maps_find(m, 0x4fff));
	assert_ptr_equal(maps_find(m, 0x5fff), &m->list[2]);
	assert_null(maps_find(m, 0x6000));
	assert_ptr_equal(maps_find(m, UINT64_MAX - 1), &m->list[3]);
	assert_null(maps_find(m, UINT64_MAX));
	maps_free(m);
	m = parse("");
	assert_int_equal(m->len, 0);
	assert_null(maps_find(m, 0));
	maps_free(m);
}

/* Whatever is thrown at it: what it keeps is in order, not empty, and does not overlap. */
static void garbage(void **state)
{
	(void)state;
	static const char letters[] = "0123456789abcdef-- :rwxps\n\n/[]\\012(deleted)\xff";
	struct rng r = rng_seeded(6);
	for (int round = 0; round < 4000; round++) {
		char text[400];
		int len = snprintf(text, sizeof text,
		                   "1000-2000 r-xp 0000 08:01 77 /lib/x\n"
		                   "%" PRIx64 "-%" PRIx64 " rw-p 0 0:0 0 [heap]\n"
		                   "7000-9000 rw-s 0 0:0 0 /y (deleted)\n",
		                   rng_next(&r) >> (rng_next(&r) % 64),
		                   rng_next(&r) >> (rng_next(&r) % 64));
		for (uint64_t hits = rng_next(&r) % 8; hits > 0; hits--)
			text[rng_next(&r) % (uint64_t)len] =
			        letters[rng_next(&r) % (sizeof letters - 1)];
		struct maps *m = parse(text);
		uint64_t last = 0;
		for (size_t i = 0; i < m->len; i++) {
			assert_true(m->list[i].start >= last);
			assert_true(m->list[i].end > m->list[i].start);
			assert_non_null(m->list[i].name);
			assert_ptr_equal(maps_find(m, m->list[i].start), &m->list[i]);
			last = m->list[i].end;
		}
		maps_free(m);
	}
}

static void many_lines(void **state)
{
	(void)state;
	enum { N = 20000 };
	char *text = malloc((size_t)N * 48), *at = text;
	assert_non_null(text);
	for (unsigned i = 1; i <= N; i++)
		at += sprintf(at, "%x000-%x800 rw-p 00000000 00:00 0 \n", i, i);
	struct maps *m = maps_parse(text, (size_t)(at - text));
	assert_int_equal(m->len, N);
	for (unsigned i = 1; i <= N; i++) {
		assert_ptr_equal(maps_find(m, i * UINT64_C(0x1000) + 0x7ff), &m->list[i - 1]);
		assert_null(maps_find(m, i * UINT64_C(0x1000) + 0x800));
	}
	maps_free(m);
	free(text);
}

static void own(void **state)
{
	static char *text;
	(void)state;
	size_t len = 0, cap = 1 << 20;
	text = malloc(cap);
	FILE *f = fopen("/proc/self/maps", "r");
	assert_non_null(f);
	assert_non_null(text);
	len = fread(text, 1, cap, f);
	fclose(f);
	struct maps *m = maps_parse(text, len);
	assert_int_equal(m->bad_lines, 0);
	const struct mapping *code = maps_find(m, (uint64_t)(uintptr_t)own);
	const struct mapping *stack = maps_find(m, (uint64_t)(uintptr_t)__builtin_frame_address(0));
	assert_non_null(code);
	assert_true(code->exec && !code->write);
	assert_int_not_equal(code->inode, 0);
	assert_non_null(stack);
	assert_string_equal(stack->name, "[stack]");
	maps_free(m);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(one_of_each),
	        cmocka_unit_test(hostile_names),
	        cmocka_unit_test(bad_lines_are_counted),
	        cmocka_unit_test(overlaps_are_left_out),
	        cmocka_unit_test(cut_text),
	        cmocka_unit_test(nul_ends_it),
	        cmocka_unit_test(find),
	        cmocka_unit_test(garbage),
	        cmocka_unit_test(many_lines),
	        cmocka_unit_test(own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
