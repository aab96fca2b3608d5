/* SPDX-License-Identifier: MIT */
/* A forked child to look at: it has our code at our addresses. For the tests of module, unwind and
 * symbol. */
#ifndef MEMTOP_TESTS_CHILD_H
#define MEMTOP_TESTS_CHILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "engine/sample.h"
#include "module/modules.h"
#include "target/process.h"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_LIMIT 60 /* seconds: a test that hangs dies */

struct child {
	pid_t pid;
	int says;  /* the child writes a byte here when it is where it should be */
	int hears; /* and may wait for one */
	struct process *process;
	struct modules *modules;
};

/* What the child runs: says to write to, hears to read from. */
typedef void child_body(int says, int hears, void *arg);

static inline void child_say(int says)
{
	if (write(says, "x", 1) != 1)
		_exit(1);
}

static inline void child_hear(int hears)
{
	char c;
	if (read(hears, &c, 1) != 1)
		_exit(1);
}

static inline void child_wait_for(const struct child *c)
{
	char byte;
	assert_int_equal(read(c->says, &byte, 1), 1);
}

static inline void child_go_on(const struct child *c)
{
	assert_int_equal(write(c->hears, "x", 1), 1);
}

/* Starts a child and waits until it said something. */
static inline struct child child_start(child_body *body, void *arg)
{
	struct child c = {0};
	int up[2], down[2];
	alarm(CHILD_LIMIT);
	assert_int_equal(pipe2(up, O_CLOEXEC), 0);
	assert_int_equal(pipe2(down, O_CLOEXEC), 0);
	pid_t parent = getpid();
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (c.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		alarm(CHILD_LIMIT);
		close(up[0]);
		close(down[1]);
		body(up[1], down[0], arg);
		for (;;)
			pause();
	}
	close(up[1]);
	close(down[0]);
	c.says = up[0];
	c.hears = down[1];
	child_wait_for(&c);
	return c;
}

static inline void child_open(struct child *c)
{
	struct err e = {""};
	c->process = process_open(c->pid, &e);
	if (!c->process)
		fail_msg("%s", e.text);
	c->modules = modules_new(c->process, &(struct modules_config){.debuginfod = false});
	assert_true(modules_refresh(c->modules));
}

static inline void child_kill(struct child *c)
{
	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, __WALL);
	}
	c->pid = 0;
}

static inline void child_end(struct child *c)
{
	child_kill(c);
	modules_free(c->modules);
	process_free(c->process);
	close(c->says);
	close(c->hears);
}

static inline void child_idle(int says, int hears, void *arg)
{
	(void)hears;
	(void)arg;
	child_say(says);
}

/* Waits until a thread that has said something sleeps in what it does next. */
static inline void child_settle(const struct child *c, pid_t tid)
{
	char path[64];
	snprintf(path, sizeof path, "task/%d/stat", (int)tid);
	for (int i = 0; i < 5000; i++) {
		char *text = process_slurp(c->process, path, NULL);
		const char *name_end = text ? strrchr(text, ')') : NULL;
		bool sleeps = name_end && strncmp(name_end, ") S", 3) == 0;
		free(text);
		if (sleeps)
			return;
		usleep(1000);
	}
	fail_msg("thread %d does not settle", (int)tid);
}

/* Stops a thread of the child, copies up to max bytes of its stack, and lets it go. */
static inline struct sample *child_capture(const struct child *c, pid_t tid, size_t max)
{
	int status;
	struct user_regs_struct r;
	struct iovec iov = {&r, sizeof r};
	child_settle(c, tid);
	assert_int_equal(ptrace(PTRACE_SEIZE, tid, 0, 0), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, tid, 0, 0), 0);
	assert_int_equal(waitpid(tid, &status, __WALL), tid);
	assert_int_equal(ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &iov), 0);
	const uint64_t regs[SAMPLE_REGS] = {r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi,
	                                    r.rbp, r.rsp, r.r8,  r.r9,  r.r10, r.r11,
	                                    r.r12, r.r13, r.r14, r.r15, r.rip};
	struct sample *s = mem_alloc(sizeof *s + max);
	s->tid = tid;
	memcpy(s->regs, regs, sizeof regs);
	s->stack_len = process_read(c->process, r.rsp, s->stack, max);
	assert_int_equal(ptrace(PTRACE_DETACH, tid, 0, 0), 0);
	return s;
}

/* Privilege would open any mapped file through map_files, whatever became of its name. */
static inline void drop_map_files_privilege(void)
{
	struct {
		uint32_t version;
		int pid;
	} header = {0x20080522, 0}; /* _LINUX_CAPABILITY_VERSION_3 */
	struct {
		uint32_t effective, permitted, inheritable;
	} data[2];
	assert_int_equal(syscall(SYS_capget, &header, data), 0);
	data[0].effective &= ~(1U << 21); /* CAP_SYS_ADMIN */
	data[1].effective &= ~(1U << 8);  /* CAP_CHECKPOINT_RESTORE, 40 */
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

#endif
