/* SPDX-License-Identifier: MIT */
#include "forked.h"

#include "target/find.h"

/* A name no one else has. */
static void name_of(char name[16], const char *prefix)
{
	snprintf(name, 16, "%s%d", prefix, (int)getpid() % 1000000);
}

static void called(int says, int hears, void *arg)
{
	prctl(PR_SET_NAME, arg);
	forked_sleep(says, hears, NULL);
}

static void nobody(void **state)
{
	(void)state;
	struct err e = {""};
	assert_int_equal(find_newest("no such process, surely", &e), 0);
	assert_non_null(strstr(e.text, "\"no such process, surely\""));
	assert_int_equal(find_newest("", &e), 0);
	assert_int_equal(find_newest("\x1b[2J\n", &e), 0);
	assert_non_null(strstr(e.text, "\"\\x1b[2J\\x0a\"")); /* one line, printable */
	assert_null(strchr(e.text, '\n'));
}

static void newest(void **state)
{
	(void)state;
	struct err e = {""};
	char name[16];
	name_of(name, "mt-");
	struct forked a = forked_start(called, name), b, c;
	forked_wait_for(&a);
	assert_int_equal(find_newest(name, &e), a.pid);
	b = forked_start(called, name);
	forked_wait_for(&b);
	usleep(25000); /* start times are in ticks of 10 ms */
	c = forked_start(called, name);
	forked_wait_for(&c);
	assert_int_equal(find_newest(name, &e), c.pid);
	assert_int_equal(kill(c.pid, SIGKILL), 0);
	forked_await(c.pid, c.pid, 'Z'); /* a zombie can't be watched */
	assert_int_not_equal(find_newest(name, &e), c.pid);
	forked_join(&c);
	forked_kill(&b);
	assert_int_equal(find_newest(name, &e), a.pid);
	forked_kill(&a);
	assert_int_equal(find_newest(name, &e), 0);
}

/* A prefix isn't the name, and neither is what only looks like it. */
static void whole_names_only(void **state)
{
	(void)state;
	struct err e = {""};
	char name[16], less[16];
	name_of(name, "mt=");
	struct forked c = forked_start(called, name);
	forked_wait_for(&c);
	strcpy(less, name);
	less[strlen(less) - 1] = '\0';
	assert_int_equal(find_newest(less, &e), 0);
	assert_int_equal(find_newest(name + 1, &e), 0);
	forked_kill(&c);
}

static void hostile_names(void **state)
{
	(void)state;
	static const char *const names[] = {") R 1 1 1 (", "a)b(c", "x\ny",    "\n",
	                                    "%s%n",        "((((",  "\xff\xfe"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct err e = {""};
		char name[16];
		snprintf(name, sizeof name, "%s", names[i]);
		struct forked c = forked_start(called, name);
		forked_wait_for(&c);
		assert_int_equal(find_newest(name, &e), c.pid);
		forked_kill(&c);
	}
}

/* comm is cut at 15 bytes; argv[0] isn't. */
static void by_argv0(void **state)
{
	(void)state;
	struct err e = {""};
	char name[64], path[96];
	snprintf(name, sizeof name, "a-rather-long-name-of-%d", (int)getpid());
	snprintf(path, sizeof path, "/some/where/%s", name);
	pid_t parent = getpid(), pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		forked_bound(parent);
		execl("/bin/sleep", path, "20", (char *)NULL);
		_exit(1);
	}
	pid_t found = 0;
	for (int i = 0; i < 10000 && !found; i++) { /* until the exec is done */
		found = find_newest(name, &e);
		usleep(500);
	}
	assert_int_equal(found, pid);
	assert_int_equal(find_newest("20", &e), 0); /* no other argument */
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void not_oneself(void **state)
{
	(void)state;
	struct err e = {""};
	char name[16];
	name_of(name, "mt+");
	prctl(PR_SET_NAME, name);
	assert_int_equal(find_newest(name, &e), 0);
	prctl(PR_SET_NAME, "test_find");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(nobody),           cmocka_unit_test(newest),
	        cmocka_unit_test(whole_names_only), cmocka_unit_test(hostile_names),
	        cmocka_unit_test(by_argv0),         cmocka_unit_test(not_oneself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
