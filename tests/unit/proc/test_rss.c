/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proc/rss.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char status[] = "Name:\tRssAnon: 7 kB\\nUid:\t5\n" /* the kernel writes \n so */
                             "Umask:\t0022\n"
                             "State:\tS (sleeping)\n"
                             "Pid:\t12\n"
                             "TracerPid:\t77\n"
                             "Uid:\t1000\t1001\t1002\t1003\n"
                             "VmHWM:\t    4000 kB\n"
                             "RssAnon:\t    1000 kB\n"
                             "RssFile:\t     200 kB\n"
                             "RssShmem:\t      30 kB\n"
                             "VmSwap:\t       4 kB\n"
                             "Threads:\t9\n";

static void statm(void **state)
{
	(void)state;
	struct proc_statm s;
	assert_true(proc_statm_parse("5000 300 200 10 0 400 0\n", &s));
	assert_int_equal(s.size, 5000);
	assert_int_equal(s.resident, 300);
	assert_int_equal(s.shared, 200);
	assert_true(proc_statm_parse("0 0 0 0 0 0 0\n", &s));
	assert_int_equal(s.size, 0);
	assert_true(proc_statm_parse("18446744073709551615 18446744073709551614 1", &s));
	assert_int_equal(s.size, UINT64_MAX);
	assert_int_equal(s.resident, UINT64_MAX - 1);
}

static void no_statm(void **state)
{
	(void)state;
	static const char *const bad[] = {"",     " ",     "\n",      "1",    "1 2",
	                                  "1 2 ", "1 2 x", "x 1 2 3", "1,2,3"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct proc_statm s;
		if (proc_statm_parse(bad[i], &s))
			fail_msg("\"%s\" was taken for statm", bad[i]);
	}
}

static void whole_status(void **state)
{
	(void)state;
	struct proc_status s;
	assert_true(proc_status_parse(status, &s));
	assert_true(s.found);
	assert_int_equal(s.anon, 1000 * 1024);
	assert_int_equal(s.file, 200 * 1024);
	assert_int_equal(s.shmem, 30 * 1024);
	assert_int_equal(s.swap, 4 * 1024);
	assert_int_equal(s.high_water, 4000 * 1024);
	assert_int_equal(s.threads, 9);
	assert_int_equal(s.uid, 1001);
	assert_int_equal(s.tracer, 77);
}

static void status_without_memory(void **state)
{
	(void)state;
	struct proc_status s;
	assert_true(proc_status_parse("Name:\tz\nTracerPid:\t0\nUid:\t0\t4294967295\t0\t0\n", &s));
	assert_false(s.found);
	assert_int_equal(s.uid, UINT32_MAX);
	assert_int_equal(s.tracer, 0);
	assert_int_equal(s.anon + s.file + s.shmem + s.swap + s.high_water + s.threads, 0);
}

static void no_status(void **state)
{
	(void)state;
	static const char *const bad[] = {"",
	                                  "\n\n\n",
	                                  "Uid:\t1\t1\t1\t1\n",
	                                  "TracerPid:\t0\n",
	                                  "xUid:\t1\t1\nxTracerPid:\t0\n",
	                                  "Uid\t1\nTracerPid\t0\n"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct proc_status s;
		if (proc_status_parse(bad[i], &s))
			fail_msg("\"%s\" was taken for status", bad[i]);
	}
}

/* A text cut anywhere never makes up a number that isn't there. */
static void cut_status(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof status; len++) {
		char *text = malloc(len + 1);
		struct proc_status s;
		assert_non_null(text);
		memcpy(text, status, len);
		text[len] = '\0';
		if (proc_status_parse(text, &s)) {
			assert_true(s.anon <= 1000 * 1024);
			assert_true(s.shmem <= 30 * 1024);
			assert_true(!s.found || (s.anon == 1000 * 1024 && s.file == 200 * 1024));
		} else {
			assert_true(len < (size_t)(strstr(status, "VmHWM") - status));
		}
		free(text);
	}
}

static void fields(void **state)
{
	(void)state;
	static const char rollup[] = "55d000-7ff000 ---p 00000000 00:00 0    [rollup]\n"
	                             "Rss:                1488 kB\n"
	                             "Pss:                 200 kB\n"
	                             "Pss_Anon:            100 kB\n"
	                             "Empty:\n"
	                             "Word: many kB\n"
	                             "Last: 5";
	uint64_t v = 1;
	assert_true(proc_kb_field(rollup, "Rss", &v));
	assert_int_equal(v, 1488 * 1024);
	assert_true(proc_kb_field(rollup, "Pss", &v));
	assert_int_equal(v, 200 * 1024);
	assert_true(proc_kb_field(rollup, "Pss_Anon", &v));
	assert_int_equal(v, 100 * 1024);
	assert_true(proc_kb_field(rollup, "Last", &v));
	assert_int_equal(v, 5 * 1024);
	assert_false(proc_kb_field(rollup, "ss", &v)); /* not at a line's start */
	assert_false(proc_kb_field(rollup, "Ps", &v)); /* not whole */
	assert_false(proc_kb_field(rollup, "Swap", &v));
	assert_false(proc_kb_field(rollup, "Word", &v));
	assert_false(proc_kb_field("", "Rss", &v));
	assert_true(proc_kb_field("Rss: 0 kB", "Rss", &v)); /* the first line */
	assert_int_equal(v, 0);
}

static void own(void **state)
{
	(void)state;
	char text[8192];
	FILE *f = fopen("/proc/self/status", "r");
	assert_non_null(f);
	size_t n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = '\0';
	struct proc_status s;
	assert_true(proc_status_parse(text, &s));
	assert_true(s.found);
	assert_true(s.anon > 0 && s.file > 0);
	assert_true(s.anon + s.file + s.shmem <= s.high_water + (16 << 20));
	assert_int_equal(s.threads, 1);
	assert_int_equal(s.uid, geteuid());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(statm),        cmocka_unit_test(no_statm),
	        cmocka_unit_test(whole_status), cmocka_unit_test(status_without_memory),
	        cmocka_unit_test(no_status),    cmocka_unit_test(cut_status),
	        cmocka_unit_test(fields),       cmocka_unit_test(own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
