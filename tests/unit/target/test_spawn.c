/* SPDX-License-Identifier: MIT */
#include "forked.h"

#include "target/spawn.h"

#include <errno.h>

/* The commands are this program itself, called with the name of one of these. */
static int command(const char *what)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(FORKED_LIMIT);
	if (strcmp(what, "exit7") == 0)
		return 7;
	if (strcmp(what, "say") == 0)
		return write(3, "x", 1) != 1;
	if (strcmp(what, "stubborn") == 0)
		signal(SIGTERM, SIG_IGN);
	if (strcmp(what, "say-and-stay") == 0 || strcmp(what, "stubborn") == 0)
		if (write(3, "x", 1) != 1)
			return 1;
	for (;;)
		pause();
}

static pid_t start(const char *what, const sigset_t *mask)
{
	char self[] = "/proc/self/exe", name[32];
	char *argv[] = {self, name, NULL};
	sigset_t none;
	struct err e = {""};
	sigemptyset(&none);
	snprintf(name, sizeof name, "%s", what);
	alarm(FORKED_LIMIT);
	fflush(NULL);
	pid_t pid = spawn_start(argv, mask ? mask : &none, &e);
	if (pid <= 0)
		fail_msg("%s", e.text);
	return pid;
}

/* A pipe whose writing end is descriptor 3 of the command. */
static int hear(void)
{
	int p[2];
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	int reader = fcntl(p[0], F_DUPFD_CLOEXEC, 10);
	close(p[0]);
	assert_int_equal(dup2(p[1], 3), 3);
	if (p[1] != 3)
		close(p[1]);
	else
		fcntl(3, F_SETFD, 0);
	return reader;
}

static struct spawn_exit wait_for_end(pid_t pid)
{
	for (int i = 0; i < 20000; i++) {
		struct spawn_exit x = spawn_reap(pid);
		if (x.known)
			return x;
		usleep(500);
	}
	fail_msg("it does not end");
	return (struct spawn_exit){0};
}

static void check_ended(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	struct spawn_exit x = wait_for_end(pid);
	assert_int_equal(x.signal, SIGKILL);
}

static void held_at_its_first_instruction(void **state)
{
	(void)state;
	pid_t pid = start("stay", NULL);
	struct proc_stat s;
	assert_true(forked_stat(pid, pid, &s));
	assert_int_equal(s.state, 't');
	assert_int_equal(s.ppid, getpid());
	assert_int_equal(forked_status(pid, "TracerPid"), getpid());
	char path[64], comm[32] = "";
	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(comm, sizeof comm, f));
	fclose(f);
	assert_string_equal(comm, "exe\n"); /* after its exec */
	spawn_release(pid);
	assert_int_equal(forked_status(pid, "TracerPid"), 0);
	forked_await(pid, pid, 'S');
	check_ended(pid);
}

static void runs_when_released(void **state)
{
	(void)state;
	char byte;
	int reader = hear();
	pid_t pid = start("say", NULL);
	close(3);
	assert_int_equal(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
	usleep(5000);
	assert_int_equal(read(reader, &byte, 1), -1);
	assert_int_equal(errno, EAGAIN); /* not a word yet */
	assert_int_equal(fcntl(reader, F_SETFL, 0), 0);
	spawn_release(pid);
	assert_int_equal(read(reader, &byte, 1), 1);
	struct spawn_exit x = wait_for_end(pid);
	assert_int_equal(x.status, 0);
	assert_int_equal(x.signal, 0);
	close(reader);
}

static void exit_status(void **state)
{
	(void)state;
	pid_t pid = start("exit7", NULL);
	spawn_release(pid);
	struct spawn_exit x = wait_for_end(pid);
	assert_true(x.known);
	assert_int_equal(x.status, 7);
	assert_int_equal(x.signal, 0);
	assert_false(spawn_reap(pid).known); /* only once */
}

static void signal_mask(void **state)
{
	(void)state;
	char path[64], line[256];
	sigset_t mask, own;
	sigfillset(&own);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGHUP);
	sigset_t old;
	sigprocmask(SIG_BLOCK, &own, &old); /* as memtop's threads do */
	pid_t pid = start("stay", &mask);
	sigprocmask(SIG_SETMASK, &old, NULL);
	uint64_t blocked = 0;
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		if (strncmp(line, "SigBlk:", 7) == 0)
			blocked = strtoull(line + 7, NULL, 16);
	fclose(f);
	assert_int_equal(blocked, 1U << (SIGUSR1 - 1) | 1U << (SIGHUP - 1));
	check_ended(pid);
}

static void check_fails(const char *file, const char *why)
{
	char name[600];
	char *argv[] = {name, NULL};
	sigset_t none;
	struct err e = {""};
	sigemptyset(&none);
	snprintf(name, sizeof name, "%s", file);
	assert_int_equal(spawn_start(argv, &none, &e), 0);
	assert_memory_equal(e.text, "can't start ", 12);
	assert_non_null(strstr(e.text, why));
	assert_null(strchr(e.text, '\n'));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie is left */
	assert_int_equal(errno, ECHILD);
}

static void what_cannot_be_started(void **state)
{
	(void)state;
	assert_int_equal(setenv("PATH", "/bin:/usr/bin", 1), 0);
	check_fails("/no/such/command", "No such file or directory");
	check_fails("no-such-command-anywhere", "No such file or directory");
	check_fails("", "No such file or directory");
	check_fails("/", "Permission denied");
	check_fails("/proc/self/status", "Permission denied");
	check_fails("/no\x1b[2J\ncommand", "/no\\x1b[2J\\x0acommand");
}

static void no_descriptor_is_lost(void **state)
{
	(void)state;
	int before = dup(0);
	close(before);
	for (int i = 0; i < 10; i++) {
		check_fails("/no/such/command", "No such file");
		check_ended(start("stay", NULL));
	}
	int after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

/* Its descriptors are the caller's, not those of spawn's own pipes. */
static void inherits_no_pipe(void **state)
{
	(void)state;
	pid_t pid = start("stay", NULL);
	for (int fd = 0; fd < 64; fd++) {
		char path[64], to[256];
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
		if (readlink(path, to, sizeof to) >= 0)
			fail_msg("descriptor %d is open in the command only", fd);
	}
	check_ended(pid);
}

static void end_asks_first(void **state)
{
	(void)state;
	char byte;
	int reader = hear();
	pid_t pid = start("say-and-stay", NULL);
	close(3);
	spawn_release(pid);
	assert_int_equal(read(reader, &byte, 1), 1);
	spawn_end(pid, 10000);
	struct spawn_exit x = wait_for_end(pid);
	assert_int_equal(x.signal, SIGTERM);
	assert_int_equal(x.status, 0);
	close(reader);
}

static void end_insists(void **state)
{
	(void)state;
	char byte;
	int reader = hear();
	pid_t pid = start("stubborn", NULL);
	close(3);
	spawn_release(pid);
	assert_int_equal(read(reader, &byte, 1), 1);
	spawn_end(pid, 50);
	assert_int_equal(wait_for_end(pid).signal, SIGKILL);
	close(reader);
}

static void end_of_one_just_started(void **state)
{
	(void)state;
	pid_t pid = start("stay", NULL);
	spawn_release(pid); /* as for one that can't be watched */
	spawn_end(pid, 0);
	int signal = wait_for_end(pid).signal;
	assert_true(signal == SIGTERM || signal == SIGKILL);
}

/* ---- memtop dies ---- */

static void start_and_wait(int says, int hears, void *arg)
{
	char self[] = "/proc/self/exe", what[] = "say";
	char *argv[] = {self, what, NULL};
	sigset_t none;
	(void)arg;
	sigemptyset(&none);
	pid_t pid = spawn_start(argv, &none, NULL);
	if (pid <= 0)
		_exit(1);
	forked_sleep(says, hears, NULL);
}

static void runs_when_the_tracer_dies(void **state)
{
	(void)state;
	char byte;
	int reader = hear();
	struct forked tracer = forked_start(start_and_wait, NULL);
	close(3);
	forked_wait_for(&tracer);
	forked_kill(&tracer);
	assert_int_equal(read(reader, &byte, 1), 1); /* it says its word, and ends */
	assert_int_equal(read(reader, &byte, 1), 0);
	close(reader);
}

static void reap_of_nobody(void **state)
{
	(void)state;
	struct forked c = forked_start(forked_sleep, NULL);
	pid_t pid = c.pid;
	forked_wait_for(&c);
	assert_false(spawn_reap(pid).known);
	forked_kill(&c);
	assert_false(spawn_reap(pid).known);
	spawn_end(INT32_MAX, 10000); /* returns at once: alarm() would end a wait */
}

/* What is held has not ended, and is held on. */
static void reap_of_one_held(void **state)
{
	(void)state;
	pid_t pid = start("stay", NULL);
	bool ended = spawn_reap(pid).known || spawn_reap(pid).known;
	assert_int_equal(forked_state(pid, pid), 't');
	spawn_release(pid);
	forked_await(pid, pid, 'S');
	check_ended(pid);
	assert_false(ended);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return command(argv[1]);
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(held_at_its_first_instruction),
	        cmocka_unit_test(runs_when_released),
	        cmocka_unit_test(exit_status),
	        cmocka_unit_test(signal_mask),
	        cmocka_unit_test(what_cannot_be_started),
	        cmocka_unit_test(no_descriptor_is_lost),
	        cmocka_unit_test(inherits_no_pipe),
	        cmocka_unit_test(end_asks_first),
	        cmocka_unit_test(end_insists),
	        cmocka_unit_test(end_of_one_just_started),
	        cmocka_unit_test(runs_when_the_tracer_dies),
	        cmocka_unit_test(reap_of_nobody),
	        cmocka_unit_test(reap_of_one_held),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
