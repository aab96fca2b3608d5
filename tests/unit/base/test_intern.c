/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/intern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void equal_strings_are_one(void **state)
{
	(void)state;
	struct intern *t = intern_new();
	char copy[] = "main";
	const char *a = intern_str(t, "main"), *b = intern_str(t, copy);
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, copy);
	copy[0] = 'p';
	assert_string_equal(a, "main");
	assert_ptr_not_equal(intern_str(t, copy), a);
	assert_null(intern_str(t, NULL));
	const char *none = intern_str(t, "");
	assert_string_equal(none, "");
	assert_ptr_equal(intern_str(t, ""), none);
	intern_free(t);
	intern_free(NULL);
}

static void tables_are_apart(void **state)
{
	(void)state;
	struct intern *t = intern_new(), *u = intern_new();
	assert_ptr_not_equal(intern_str(t, "x"), intern_str(u, "x"));
	intern_free(u);
	intern_free(t);
}

static void many_stay_where_they_are(void **state)
{
	(void)state;
	enum { N = 5000 };
	static const char *all[N];
	struct intern *t = intern_new();
	char text[32];
	for (int i = 0; i < N; i++) {
		snprintf(text, sizeof text, "f%d", i);
		all[i] = intern_str(t, text);
	}
	for (int i = 0; i < N; i++) {
		snprintf(text, sizeof text, "f%d", i);
		assert_string_equal(all[i], text);
		assert_ptr_equal(intern_str(t, text), all[i]);
	}
	intern_free(t);
}

static void any_bytes_and_any_length(void **state)
{
	(void)state;
	struct intern *t = intern_new();
	char all[256];
	for (int i = 0; i < 255; i++)
		all[i] = (char)(i + 1);
	all[255] = '\0';
	assert_string_equal(intern_str(t, all), all);
	size_t len = 1 << 20;
	char *longer = malloc(len + 1);
	assert_non_null(longer);
	memset(longer, 'x', len);
	longer[len] = '\0';
	const char *kept = intern_str(t, longer);
	assert_int_equal(strlen(kept), len);
	longer[len - 1] = 'y';
	assert_ptr_not_equal(intern_str(t, longer), kept);
	free(longer);
	intern_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(equal_strings_are_one),
	        cmocka_unit_test(tables_are_apart),
	        cmocka_unit_test(many_stay_where_they_are),
	        cmocka_unit_test(any_bytes_and_any_length),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
