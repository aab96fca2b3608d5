/* SPDX-License-Identifier: MIT */
#include "forked.h"

#include "target/process.h"

#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>

static struct process *open_it(pid_t pid)
{
	struct err e = {""};
	struct process *p = process_open(pid, &e);
	if (!p)
		fail_msg("%s", e.text);
	return p;
}

static void alive_until_it_ends(void **state)
{
	(void)state;
	struct forked c = forked_start(forked_sleep, NULL);
	forked_wait_for(&c);
	struct process *p = open_it(c.pid);
	struct pollfd f = {.fd = process_pidfd(p), .events = POLLIN};
	assert_int_equal(process_pid(p), c.pid);
	assert_true(process_alive(p));
	assert_int_equal(poll(&f, 1, 0), 0);
	assert_int_equal(kill(c.pid, SIGKILL), 0);
	assert_int_equal(poll(&f, 1, 10000), 1);
	assert_false(process_alive(p)); /* a zombie is no more alive */
	forked_join(&c);
	assert_false(process_alive(p));
	process_free(p);
	process_free(NULL);
}

static void files_below_proc(void **state)
{
	(void)state;
	struct forked c = forked_start(forked_sleep, NULL);
	forked_wait_for(&c);
	struct process *p = open_it(c.pid);
	size_t len = 0;
	char *text = process_slurp(p, "stat", &len), start[32];
	assert_non_null(text);
	assert_int_equal(strlen(text), len);
	snprintf(start, sizeof start, "%d (", (int)c.pid);
	assert_memory_equal(text, start, strlen(start));
	free(text);
	int fd = process_openat(p, "maps", O_RDONLY);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	assert_true(fcntl(process_pidfd(p), F_GETFD) & FD_CLOEXEC);
	errno = 0;
	assert_int_equal(process_openat(p, "no-such-file", O_RDONLY), -1);
	assert_int_equal(errno, ENOENT);
	assert_null(process_slurp(p, "no-such-file", NULL));
	assert_int_equal(errno, ENOENT);
	forked_kill(&c);
	assert_int_equal(process_openat(p, "maps", O_RDONLY), -1);
	assert_null(process_slurp(p, "maps", NULL));
	process_free(p);
}

/* As process.h says. */
static void no_such_process_any_more(void **state)
{
	(void)state;
	struct forked c = forked_start(forked_sleep, NULL);
	forked_wait_for(&c);
	struct process *p = open_it(c.pid);
	forked_kill(&c);
	errno = 0;
	assert_int_equal(process_openat(p, "maps", O_RDONLY), -1);
	assert_int_equal(errno, ESRCH);
	process_free(p);
}

static void reads_memory(void **state)
{
	(void)state;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *m = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(m, MAP_FAILED);
	for (size_t i = 0; i < 3 * page; i++)
		m[i] = (char)(i * 7);
	assert_int_equal(mprotect(m + 2 * page, page, PROT_NONE), 0);
	struct forked c = forked_start(forked_sleep, NULL);
	forked_wait_for(&c);
	struct process *p = open_it(c.pid);
	char *buf = malloc(3 * page);
	assert_non_null(buf);
	uint64_t addr = (uint64_t)(uintptr_t)m;
	assert_int_equal(process_read(p, addr, buf, 2 * page), 2 * page);
	assert_memory_equal(buf, m, 2 * page);
	assert_int_equal(process_read(p, addr + 5, buf, 1), 1);
	assert_int_equal(buf[0], m[5]);
	assert_int_equal(process_read(p, addr + page, buf, 2 * page),
	                 page); /* up to what can't be read */
	assert_memory_equal(buf, m + page, page);
	assert_int_equal(process_read(p, addr + 2 * page, buf, 8), 0);
	assert_int_equal(process_read(p, addr, buf, 0), 0);
	static const uint64_t odd[] = {
	        0, 1, UINT64_C(1) << 47, UINT64_C(0xffffffffff600000), UINT64_MAX - 4, UINT64_MAX};
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
		assert_int_equal(process_read(p, odd[i], buf, 64), 0);
	forked_kill(&c);
	assert_int_equal(process_read(p, addr, buf, 8), 0);
	process_free(p);
	free(buf);
	munmap(m, 3 * page);
}

static void rename_to(int says, int hears, void *arg)
{
	prctl(PR_SET_NAME, arg);
	forked_say(says);
	forked_hear(hears);
	prctl(PR_SET_NAME, "other");
	forked_sleep(says, hears, NULL);
}

static void check_name(const char *comm, const char *shown)
{
	char name[16];
	snprintf(name, sizeof name, "%s", comm);
	struct forked c = forked_start(rename_to, name);
	forked_wait_for(&c);
	struct process *p = open_it(c.pid);
	assert_string_equal(process_name(p), shown);
	forked_go_on(&c);
	forked_wait_for(&c);
	assert_string_equal(process_name(p), shown);
	process_rename(p);
	assert_string_equal(process_name(p), "other");
	forked_kill(&c);
	process_rename(p); /* keeps the last name */
	assert_string_equal(process_name(p), "other");
	process_free(p);
}

static void names(void **state)
{
	(void)state;
	check_name("worker", "worker");
	check_name("a) S 1 (b", "a) S 1 (b");
	check_name("\x1b[31mred", "\\x1b[31mred");
	check_name("\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e",
	           "\\x80\\x81\\x82\\x83\\x84\\x85\\x86\\x87\\x88\\x89\\x8a\\x8b\\x8c\\x8d\\x8e");
	check_name("grüße", "grüße");
	check_name("100%s", "100%s");
}

/* A newline is a part of the name like any other byte; only the last one is the kernel's. */
static void names_with_newlines(void **state)
{
	(void)state;
	check_name("a\nb", "a\\x0ab");
	check_name("\nx", "\\x0ax");
}

static void refuses(void **state)
{
	(void)state;
	static const pid_t none[] = {0, -1, INT32_MAX};
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		struct err e = {""};
		assert_null(process_open(none[i], &e));
		assert_non_null(strstr(e.text, "no such process"));
	}
	struct forked c = forked_start(forked_sleep, NULL);
	pid_t pid = c.pid;
	forked_wait_for(&c);
	forked_kill(&c);
	struct err e = {""};
	assert_null(process_open(pid, &e));
	assert_non_null(strstr(e.text, "no such process"));
	assert_null(process_open(pid, NULL)); /* e may be NULL */
}

/* Descriptors are given back, whether it works or not. */
static void no_descriptor_is_lost(void **state)
{
	(void)state;
	struct forked c = forked_start(forked_sleep, NULL);
	forked_wait_for(&c);
	int before = dup(0);
	assert_true(before >= 0);
	close(before);
	for (int i = 0; i < 50; i++) {
		process_free(open_it(c.pid));
		process_free(process_open(getpid(), NULL));
		process_free(process_open(INT32_MAX, NULL));
	}
	int after = dup(0);
	close(after);
	assert_int_equal(after, before);
	forked_kill(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(alive_until_it_ends),
	        cmocka_unit_test(files_below_proc),
	        cmocka_unit_test(no_such_process_any_more),
	        cmocka_unit_test(reads_memory),
	        cmocka_unit_test(names),
	        cmocka_unit_test(names_with_newlines),
	        cmocka_unit_test(refuses),
	        cmocka_unit_test(no_descriptor_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
