/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "proc/stat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAIL                                                                                       \
	" S 42 100 100 34816 100 4194304 123 456 7 8 9 10 11 12 20 0 3 0 987654 1000000 250 "      \
	"18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"

static void plain(void **state)
{
	(void)state;
	struct proc_stat s;
	assert_true(proc_stat_parse("321 (bash)" TAIL, &s));
	assert_int_equal(s.pid, 321);
	assert_string_equal(s.comm, "bash");
	assert_int_equal(s.state, 'S');
	assert_int_equal(s.ppid, 42);
	assert_int_equal(s.flags, 4194304);
	assert_int_equal(s.minflt, 123);
	assert_int_equal(s.majflt, 7);
	assert_int_equal(s.num_threads, 3);
	assert_int_equal(s.start_time, 987654);
}

static void negative_and_huge_numbers(void **state)
{
	(void)state;
	struct proc_stat s;
	assert_true(proc_stat_parse("1 (x) R 0 -1 -1 -1 -1 2129984 18446744073709551615 0 "
	                            "18446744073709551614 0 0 0 0 0 -51 -20 1 0 "
	                            "18446744073709551615 0 0",
	                            &s));
	assert_int_equal(s.ppid, 0);
	assert_true(s.flags & PROC_PF_KTHREAD);
	assert_int_equal(s.minflt, UINT64_MAX);
	assert_int_equal(s.majflt, UINT64_MAX - 1);
	assert_int_equal(s.num_threads, 1);
	assert_int_equal(s.start_time, UINT64_MAX);
	/* too large for 64 bits: no more than the largest, and still a line */
	assert_true(proc_stat_parse("1 (x) R 0 0 0 0 0 0 99999999999999999999999 0 7 0 0 0 0 0 0 0 "
	                            "1 0 5 0 0",
	                            &s));
	assert_int_equal(s.minflt, UINT64_MAX);
	assert_int_equal(s.majflt, 7);
	assert_int_equal(s.start_time, 5);
}

/* A name can be anything: what stands behind the last ')' counts. */
static void hostile_names(void **state)
{
	(void)state;
	static const char *const names[] = {
	        "",        ")",      "(",     "))((",      "a) R 1 1", ") S 1 2 3 4 5 6 7 8 9 10",
	        "a b",     "\n",     "x)\ny", "\n1 (init", "((x)",     "\xff\x80)\x01",
	        "   )   ", ") ) ) )"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char text[400];
		struct proc_stat s;
		snprintf(text, sizeof text, "77 (%s)" TAIL, names[i]);
		assert_true(proc_stat_parse(text, &s));
		assert_string_equal(s.comm, names[i]);
		assert_int_equal(s.pid, 77);
		assert_int_equal(s.state, 'S');
		assert_int_equal(s.ppid, 42);
		assert_int_equal(s.start_time, 987654);
	}
}

static void every_byte_in_a_name(void **state)
{
	(void)state;
	for (unsigned c = 1; c < 256; c++) {
		char text[400];
		struct proc_stat s;
		snprintf(text, sizeof text, "77 (a%cb)" TAIL, (int)c);
		assert_true(proc_stat_parse(text, &s));
		assert_int_equal(s.comm[1], (char)c);
		assert_int_equal(s.comm[2], 'b');
		assert_int_equal(s.minflt, 123);
	}
}

static void long_name_is_cut(void **state)
{
	(void)state;
	for (size_t len = 55; len < 300; len++) {
		char name[301], text[600];
		struct proc_stat s;
		memset(name, 'n', len);
		name[len] = '\0';
		snprintf(text, sizeof text, "77 (%s)" TAIL, name);
		assert_true(proc_stat_parse(text, &s));
		size_t kept = len < sizeof s.comm ? len : sizeof s.comm - 1;
		assert_int_equal(strlen(s.comm), kept);
		assert_int_equal(s.ppid, 42);
	}
}

static void no_stat_line(void **state)
{
	(void)state;
	static const char *const bad[] = {
	        "",           "7",       "7 (",           "7 (x",       "7 (x)",
	        "7 (x) ",     "7 (x) S", "7 (x)S 1",      "7 )x(" TAIL, "7 (x) SS 1 2",
	        "7 (x) S \n", ")(",      "7 (x) S a b c", "7 x" TAIL};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct proc_stat s;
		if (proc_stat_parse(bad[i], &s))
			fail_msg("\"%s\" was taken for a stat line", bad[i]);
	}
}

/* Every shorter text is refused until field 22, the last one needed, is there. */
static void cut_lines(void **state)
{
	(void)state;
	static const char whole[] = "321 (ba) sh)" TAIL;
	size_t need = (size_t)(strstr(whole, " 987654") - whole) + 2; /* a first digit of it */
	for (size_t len = 0; len < sizeof whole; len++) {
		char *text = malloc(len + 1);
		struct proc_stat s;
		assert_non_null(text);
		memcpy(text, whole, len);
		text[len] = '\0';
		assert_int_equal(proc_stat_parse(text, &s), len >= need);
		free(text);
	}
}

static void garbage(void **state)
{
	(void)state;
	struct rng r = rng_seeded(7);
	int taken = 0;
	for (int round = 0; round < 20000; round++) {
		char text[] = "321 (bash)" TAIL;
		for (uint64_t hits = 1 + rng_next(&r) % 6; hits > 0; hits--)
			text[rng_next(&r) % (sizeof text - 1)] = (char)(rng_next(&r) & 0xff);
		struct proc_stat s;
		if (!proc_stat_parse(text, &s))
			continue;
		taken++;
		assert_true(memchr(s.comm, '\0', sizeof s.comm) != NULL);
		assert_int_not_equal(s.state, 0);
	}
	assert_true(taken > 1000 && taken < 20000);
}

static void own(void **state)
{
	(void)state;
	char text[1024];
	FILE *f = fopen("/proc/self/stat", "r");
	assert_non_null(f);
	size_t n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = '\0';
	struct proc_stat s;
	assert_true(proc_stat_parse(text, &s));
	assert_int_equal(s.pid, getpid());
	assert_int_equal(s.ppid, getppid());
	assert_int_equal(s.state, 'R');
	assert_int_equal(s.num_threads, 1);
	assert_true(s.minflt > 0);
	assert_true(s.start_time > 0);
	assert_false(s.flags & PROC_PF_KTHREAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(plain),
	        cmocka_unit_test(negative_and_huge_numbers),
	        cmocka_unit_test(hostile_names),
	        cmocka_unit_test(every_byte_in_a_name),
	        cmocka_unit_test(long_name_is_cut),
	        cmocka_unit_test(no_stat_line),
	        cmocka_unit_test(cut_lines),
	        cmocka_unit_test(garbage),
	        cmocka_unit_test(own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
