/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

#include <errno.h>
#include <string.h>

static void sets_text(void **state)
{
	(void)state;
	struct err e;
	assert_false(err_set(&e, "%s %d", "seven", 7));
	assert_string_equal(e.text, "seven 7");
}

static void sys_adds_reason(void **state)
{
	(void)state;
	struct err e;
	assert_false(err_sys(&e, ENOENT, "open %s", "x"));
	assert_string_equal(e.text, "open x: No such file or directory");
	assert_false(err_sys(&e, 0x7fffffff, "odd"));
	assert_memory_equal(e.text, "odd: ", 5);
	assert_true(strlen(e.text) > 5);
}

static void sys_keeps_errno_out_of_it(void **state)
{
	(void)state;
	struct err e;
	errno = EACCES;
	err_sys(&e, ENOSPC, "write");
	assert_string_equal(e.text, "write: No space left on device");
}

static void null_is_allowed(void **state)
{
	(void)state;
	assert_false(err_set(NULL, "%d", 1));
	assert_false(err_sys(NULL, EPERM, "%d", 1));
}

static void long_text_is_cut(void **state)
{
	(void)state;
	struct {
		struct err e;
		char guard[16];
	} s;
	char longer[2000];
	memset(longer, 'a', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	for (size_t cut = 0; cut < 40; cut++) {
		size_t len = sizeof s.e.text - 20 + cut;
		memset(&s, 0x5a, sizeof s);
		assert_false(err_sys(&s.e, ENOENT, "%.*s", (int)len, longer));
		assert_true(strlen(s.e.text) < sizeof s.e.text);
		size_t kept = len < sizeof s.e.text - 1 ? len : sizeof s.e.text - 1;
		assert_int_equal(strspn(s.e.text, "a"), kept);
		for (size_t i = 0; i < sizeof s.guard; i++)
			assert_int_equal(s.guard[i], 0x5a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(sets_text),        cmocka_unit_test(sys_adds_reason),
	        cmocka_unit_test(null_is_allowed),  cmocka_unit_test(sys_keeps_errno_out_of_it),
	        cmocka_unit_test(long_text_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
