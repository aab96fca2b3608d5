/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/words.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

static void check(const char *text, const char *const *expected)
{
	struct err e = {""};
	size_t n = 99, want = 0;
	char **words = words_split(text, &n, &e);
	if (!words)
		fail_msg("\"%s\": %s", text, e.text);
	while (expected[want])
		want++;
	assert_int_equal(n, want);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(words[i], expected[i]);
	assert_null(words[n]);
	words_free(words);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void blanks(void **state)
{
	(void)state;
	check("", WORDS(NULL));
	check(" \t\r\n\v\f ", WORDS(NULL));
	check("a", WORDS("a"));
	check("  a  b\tc\n", WORDS("a", "b", "c"));
}

static void quotes(void **state)
{
	(void)state;
	check("'a b'", WORDS("a b"));
	check("\"a b\"", WORDS("a b"));
	check("a' 'b\" \"c", WORDS("a b c"));
	check("'' \"\"", WORDS("", ""));
	check("'\"' \"'\"", WORDS("\"", "'"));
	check("a''b", WORDS("ab"));
	check("-r 'my file.folded'", WORDS("-r", "my file.folded"));
}

static void backslashes(void **state)
{
	(void)state;
	check("a\\ b", WORDS("a b"));
	check("\\'a\\\"", WORDS("'a\""));
	check("\\\\", WORDS("\\"));
	check("'\\n'", WORDS("\\n")); /* plain in single quotes */
	check("\"\\\"\\\\\"", WORDS("\"\\"));
	check("a\\", WORDS("a\\")); /* nothing to keep */
}

/* As a shell would: in double quotes a backslash keeps only $, `, ", \ and newline. */
static void backslash_in_double_quotes(void **state)
{
	(void)state;
	check("\"a\\b\"", WORDS("a\\b"));
	check("\"\\$\\`\"", WORDS("$`"));
}

static void open_quotes(void **state)
{
	(void)state;
	static const char *const bad[] = {"'",       "\"",      "a 'b",  "'a\" \"b",
	                                  "\"a\\\"", "a b c\"", "''''' "};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct err e = {""};
		size_t n;
		assert_null(words_split(bad[i], &n, &e));
		assert_non_null(strstr(e.text, "open quote"));
		assert_non_null(strstr(e.text, bad[i]));
	}
	words_free(NULL);
}

/* Any bytes: no crash, and never more text out than in. */
static void garbage(void **state)
{
	(void)state;
	static const char letters[] = "ab '\"\\\n\xff";
	struct rng r = rng_seeded(22);
	for (int round = 0; round < 20000; round++) {
		size_t len = rng_next(&r) % 24, n = 0, out = 0;
		char *text = malloc(len + 1);
		assert_non_null(text);
		for (size_t i = 0; i < len; i++)
			text[i] = letters[rng_next(&r) % (sizeof letters - 1)];
		text[len] = '\0';
		struct err e;
		char **words = words_split(text, &n, &e);
		for (size_t i = 0; words && i < n; i++)
			out += strlen(words[i]);
		assert_true(out <= len);
		words_free(words);
		free(text);
	}
}

static void many(void **state)
{
	(void)state;
	enum { N = 2000 };
	char *text = malloc(2 * N + 1);
	assert_non_null(text);
	for (size_t i = 0; i < N; i++)
		memcpy(text + 2 * i, i % 2 ? "x " : "y\t", 3);
	size_t n;
	struct err e;
	char **words = words_split(text, &n, &e);
	assert_int_equal(n, N);
	assert_string_equal(words[0], "y");
	assert_string_equal(words[N - 1], "x");
	words_free(words);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(blanks),      cmocka_unit_test(quotes),
	        cmocka_unit_test(backslashes), cmocka_unit_test(backslash_in_double_quotes),
	        cmocka_unit_test(open_quotes), cmocka_unit_test(garbage),
	        cmocka_unit_test(many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
