/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

static void alloc_is_zeroed(void **state)
{
	(void)state;
	for (size_t n = 0; n < 3000; n += 271) {
		unsigned char *p = mem_alloc(n);
		assert_non_null(p);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		if (n > 0)
			memset(p, 0xff, n);
		free(p);
	}
}

static void resize_keeps(void **state)
{
	(void)state;
	int *p = mem_resize(NULL, 2, sizeof *p);
	p[0] = 4;
	p[1] = 5;
	p = mem_resize(p, 1000, sizeof *p);
	assert_int_equal(p[0], 4);
	assert_int_equal(p[1], 5);
	p[999] = 6;
	p = mem_resize(p, 0, sizeof *p); /* not a free */
	assert_non_null(p);
	free(p);
}

static void grow_macro(void **state)
{
	(void)state;
	size_t *list = NULL, len = 0, cap = 0;
	for (size_t i = 0; i < 1000; i++) {
		MEM_GROW(list, len, cap);
		assert_true(cap > len);
		list[len++] = i;
	}
	for (size_t i = 0; i < len; i++)
		assert_int_equal(list[i], i);
	free(list);
}

static void strings(void **state)
{
	(void)state;
	char *a = mem_strdup("abc"), *b = mem_strdup(""), *c = mem_printf("%s-%d", a, 7);
	char *d = mem_printf("%0500d", 1);
	assert_string_equal(a, "abc");
	assert_string_equal(b, "");
	assert_string_equal(c, "abc-7");
	assert_int_equal(strlen(d), 500);
	free(a);
	free(b);
	free(c);
	free(d);
}

/* Runs what must end the process; returns its exit status, and what it said. */
static int dies(void (*f)(void), char *said, size_t size)
{
	int out[2], status;
	assert_int_equal(pipe(out), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(20);
		dup2(out[1], STDERR_FILENO);
		f();
		_exit(77);
	}
	close(out[1]);
	size_t used = 0;
	ssize_t n;
	while ((n = read(out[0], said + used, size - 1 - used)) > 0)
		used += (size_t)n;
	said[used] = '\0';
	close(out[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* A sanitizer's allocator ends the program itself, unless it is told not to. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void overflow(void)
{
	volatile size_t n = SIZE_MAX / 4;
	mem_resize(NULL, n, 8);
}

static void too_much(void)
{
	volatile size_t n = SIZE_MAX / 4;
	mem_alloc(n);
}

static void ends_when_there_is_none(void **state)
{
	(void)state;
	char said[4096];
	assert_int_equal(dies(overflow, said, sizeof said), 1);
	assert_non_null(strstr(said, "memtop: out of memory\n"));
	assert_int_equal(dies(too_much, said, sizeof said), 1);
	assert_non_null(strstr(said, "memtop: out of memory\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(alloc_is_zeroed),
	        cmocka_unit_test(resize_keeps),
	        cmocka_unit_test(grow_macro),
	        cmocka_unit_test(strings),
	        cmocka_unit_test(ends_when_there_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
