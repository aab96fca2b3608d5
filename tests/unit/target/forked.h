/* SPDX-License-Identifier: MIT */
/* A forked child that does what a test says, and dies with it. For the tests of target and engine.
 */
#ifndef MEMTOP_TESTS_FORKED_H
#define MEMTOP_TESTS_FORKED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proc/stat.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORKED_LIMIT 30 /* seconds: whatever hangs dies */

struct forked {
	pid_t pid;
	int says, hears;
};

/* What the child does: it may write to says and read from hears. */
typedef void forked_body(int says, int hears, void *arg);

/* For the child: the test must not go on in it. */
static inline void forked_say(int says)
{
	if (write(says, "x", 1) != 1)
		_exit(1);
}

static inline void forked_hear(int hears)
{
	char c;
	if (read(hears, &c, 1) != 1)
		_exit(1);
}

/* For the test. */
static inline void forked_wait_for(const struct forked *c)
{
	char byte;
	assert_int_equal(read(c->says, &byte, 1), 1);
}

static inline void forked_go_on(const struct forked *c)
{
	assert_int_equal(write(c->hears, "x", 1), 1);
}

static inline void forked_bound(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	alarm(FORKED_LIMIT);
}

static inline struct forked forked_start(forked_body *body, void *arg)
{
	struct forked c = {0};
	int up[2], down[2];
	alarm(FORKED_LIMIT);
	assert_int_equal(pipe2(up, O_CLOEXEC), 0);
	assert_int_equal(pipe2(down, O_CLOEXEC), 0);
	pid_t parent = getpid();
	fflush(NULL);
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (c.pid == 0) {
		forked_bound(parent);
		close(up[0]);
		close(down[1]);
		body(up[1], down[0], arg);
		_exit(0);
	}
	close(up[1]);
	close(down[0]);
	c.says = up[0];
	c.hears = down[1];
	return c;
}

/* Waits for its own end; returns the wait status. */
static inline int forked_join(struct forked *c)
{
	int status = -1;
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	c->pid = 0;
	close(c->says);
	close(c->hears);
	return status;
}

static inline void forked_kill(struct forked *c)
{
	assert_int_equal(kill(c->pid, SIGKILL), 0);
	int status = forked_join(c);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL); /* else it had died before: a test that lies */
}

/* Bodies. */
static inline void forked_sleep(int says, int hears, void *arg)
{
	(void)arg;
	(void)hears;
	forked_say(says);
	for (;;)
		pause();
}

/* ---- what /proc tells ---- */

static inline bool forked_stat(pid_t pid, pid_t tid, struct proc_stat *s)
{
	char path[64], text[1024];
	snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)pid, (int)tid);
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	size_t n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = '\0';
	return proc_stat_parse(text, s);
}

static inline char forked_state(pid_t pid, pid_t tid)
{
	struct proc_stat s;
	return forked_stat(pid, tid, &s) ? s.state : '\0';
}

/* Waits until a thread is in that state. */
static inline void forked_await(pid_t pid, pid_t tid, char state)
{
	for (int i = 0; i < 20000; i++) {
		if (forked_state(pid, tid) == state)
			return;
		usleep(500);
	}
	fail_msg("thread %d does not come to state %c", (int)tid, state);
}

/* A number of /proc/PID/status, such as "TracerPid"; -1 if it isn't there. */
static inline long forked_status(pid_t pid, const char *key)
{
	char path[64], line[256], format[40];
	long value = -1;
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	size_t n = (size_t)snprintf(format, sizeof format, "%s:", key);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, format, n) == 0)
			value = strtol(line + n, NULL, 10);
	if (f)
		fclose(f);
	return value;
}

/* Memory that test and child see both. */
static inline void *forked_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

/* Waits until a counter that a running child raises has moved: it runs. */
static inline void forked_runs(const volatile uint64_t *counter)
{
	uint64_t was = *counter;
	for (int i = 0; i < 20000; i++) {
		if (*counter != was)
			return;
		usleep(500);
	}
	fail_msg("it does not run");
}

#endif
