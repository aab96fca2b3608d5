/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "symbol/source.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[128];

static int setup(void **state)
{
	strcpy(folder, "/tmp/memtop-test-XXXXXX");
	if (!mkdtemp(folder) || chmod(folder, 0755) != 0)
		return -1;
	snprintf(path, sizeof path, "%s/x.c", folder);
	*state = sources_new();
	return 0;
}

static int teardown(void **state)
{
	char other[160];
	sources_free(*state);
	unlink(path);
	for (int i = 0; i < 300; i++) {
		snprintf(other, sizeof other, "%s/%d.c", folder, i);
		unlink(other);
	}
	return rmdir(folder);
}

static void file_is(const char *name, const char *text, size_t len)
{
	unlink(name);
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(fchmod(fd, 0644), 0);
	close(fd);
}

static void check(struct sources *s, int line, const char *expected)
{
	char out[128] = "untouched";
	bool found = sources_line(s, path, line, out, sizeof out);
	assert_int_equal(found, expected != NULL);
	if (expected)
		assert_string_equal(out, expected);
}

static void lines(void **state)
{
	static const char text[] = "int main(void)\n"
	                           "{\n"
	                           "\t  return 0;\r\n"
	                           "\n"
	                           " \t \n"
	                           "a\tb\n"
	                           "last";
	file_is(path, text, sizeof text - 1);
	check(*state, 1, "int main(void)");
	check(*state, 2, "{");
	check(*state, 3, "return 0;");
	check(*state, 4, NULL); /* nothing to show */
	check(*state, 5, NULL);
	check(*state, 6, "a b");
	check(*state, 7, "last");
	check(*state, 8, NULL);
	check(*state, 1 << 30, NULL);
	check(*state, INT32_MAX, NULL);
	check(*state, 0, NULL);
	check(*state, -1, NULL);
	check(*state, INT32_MIN, NULL);
}

static void no_file(void **state)
{
	char out[16];
	check(*state, 1, NULL);
	assert_false(sources_line(*state, NULL, 1, out, sizeof out));
	assert_false(sources_line(*state, "", 1, out, sizeof out));
	assert_false(sources_line(*state, folder, 1, out, sizeof out));
	sources_free(NULL);
}

/* Read once: a report must not show two versions, nor read a file for each line. */
static void read_once(void **state)
{
	file_is(path, "one\ntwo\n", 8);
	check(*state, 1, "one");
	file_is(path, "new\nnew\n", 8);
	check(*state, 2, "two");
	unlink(path);
	check(*state, 1, "one");
}

static void missing_once(void **state)
{
	check(*state, 1, NULL);
	file_is(path, "one\n", 4);
	check(*state, 1, NULL);
}

static void hostile_text(void **state)
{
	static const char text[] = "\x1b[2J \x9b\xff\xc3\n"
	                           "\xe2\x80\xae txet\n"
	                           "nul\0hidden\n"
	                           "after\n";
	file_is(path, text, sizeof text - 1);
	check(*state, 1, "\\x1b[2J \\x9b\\xff\\xc3");
	check(*state, 2, "\\xe2\\x80\\xae txet");
	check(*state, 3, "nul");
	check(*state, 4, NULL); /* a text ends at its NUL */
}

static void every_byte(void **state)
{
	char text[256 * 4], *at = text;
	for (int c = 0; c < 256; c++)
		if (c != 0 && c != '\n')
			at += sprintf(at, "<%c>\n", c);
	file_is(path, text, (size_t)(at - text));
	int line = 1;
	for (int c = 1; c < 256; c++) {
		char expected[16];
		if (c == '\n')
			continue;
		if (c == '\r')
			strcpy(expected, "<");
		else if (c == '\t')
			strcpy(expected, "< >");
		else
			snprintf(expected, sizeof expected,
			         c >= 0x20 && c < 0x7f ? "<%c>" : "<\\x%02x>", c);
		check(*state, line++, expected);
	}
}

static void long_lines(void **state)
{
	char *text = malloc(200000), out[1000], small[20];
	assert_non_null(text);
	memset(text, 'x', 200000);
	memcpy(text + 199990, "\nnext\n", 6);
	file_is(path, text, 199996);
	free(text);
	assert_true(sources_line(*state, path, 1, out, sizeof out));
	assert_true(strlen(out) < 500);
	assert_int_equal(strspn(out, "x."), strlen(out));
	assert_true(sources_line(*state, path, 2, out, sizeof out));
	assert_string_equal(out, "next");
	assert_true(sources_line(*state, path, 1, small, sizeof small));
	assert_true(strlen(small) < sizeof small);
	assert_string_equal(small + strlen(small) - 3, "...");
}

static void only_plain_files(void **state)
{
	char out[64];
	static const char *const odd[] = {"/dev/zero",  "/dev/tty",           "/proc/self/maps",
	                                  "/proc/kmsg", "/proc/self/cmdline", "/",
	                                  "/dev/stdin"};
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
		assert_false(sources_line(*state, odd[i], 1, out, sizeof out));
	assert_int_equal(mkfifo(path, 0644), 0);
	alarm(10); /* a pipe must not be waited for */
	assert_false(sources_line(*state, path, 1, out, sizeof out));
	alarm(0);
}

static void sane_sizes(void **state)
{
	char out[64], other[160];
	file_is(path, "x\n", 2);
	assert_int_equal(truncate(path, (off_t)1 << 40), 0); /* a hole: takes no room */
	check(*state, 1, NULL);
	snprintf(other, sizeof other, "%s/0.c", folder);
	file_is(other, "y\n", 2);
	assert_int_equal(truncate(other, 1 << 20), 0);
	assert_true(sources_line(*state, other, 1, out, sizeof out));
	assert_string_equal(out, "y");
	snprintf(other, sizeof other, "%s/1.c", folder);
	file_is(other, "", 0);
	assert_false(sources_line(*state, other, 1, out, sizeof out));
}

/* Debug information may name any file: what others may not read isn't shown for root. */
static void private_files(void **state)
{
	file_is(path, "secret\n", 7);
	assert_int_equal(chmod(path, 0600), 0);
	if (geteuid() == 0)
		check(*state, 1, NULL);
	else
		check(*state, 1, "secret"); /* one's own */
}

/* More files than are kept: no crash, and the kept ones stay. */
static void many_files(void **state)
{
	char name[160], out[64], expected[32];
	int shown = 0;
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 300; i++) {
			snprintf(name, sizeof name, "%s/%d.c", folder, i);
			snprintf(expected, sizeof expected, "line %d", i);
			if (round == 0)
				file_is(name, expected, strlen(expected));
			if (!sources_line(*state, name, 1, out, sizeof out)) {
				assert_true(i >= 250);
				continue;
			}
			assert_string_equal(out, expected);
			shown++;
		}
	assert_true(shown >= 500);
}

int main(void)
{
#define SOURCE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        SOURCE_TEST(lines),         SOURCE_TEST(no_file),          SOURCE_TEST(read_once),
	        SOURCE_TEST(missing_once),  SOURCE_TEST(hostile_text),     SOURCE_TEST(every_byte),
	        SOURCE_TEST(long_lines),    SOURCE_TEST(only_plain_files), SOURCE_TEST(sane_sizes),
	        SOURCE_TEST(private_files), SOURCE_TEST(many_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
