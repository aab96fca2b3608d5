/* SPDX-License-Identifier: MIT */
#include "target/stop.h"

#include "base/clock.h"
#include "base/mem.h"

#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#define WAIT_NS      (20 * NS_PER_MS) /* a running thread stops within some 25 us */
#define SPIN_NS      (100 * NS_PER_US)
#define PAGE         UINT64_C(4096)
#define MAX_PIECES   64
#define UNKNOWN_SIZE (16 * 1024) /* of a stack whose end isn't known */

struct late {
	pid_t pid, tid;
};

struct stopper {
	unsigned char *stack;
	size_t max_stack;
	uint64_t spin_ns;
	struct late *late; /* seized, asked to stop, not stopped yet */
	size_t late_len, late_cap;
};

struct stopper *stopper_new(size_t max_stack)
{
	struct stopper *s = mem_alloc(sizeof *s);
	s->max_stack = max_stack;
	cpu_set_t cpus;
	bool alone = sched_getaffinity(0, sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) < 2;
	s->spin_ns = alone ? 0 : SPIN_NS; /* on one CPU the thread can't stop while we spin */
	s->stack = mem_alloc(max_stack);
	memset(s->stack, 1, max_stack); /* no page faults of our own while a thread waits */
	return s;
}

void stopper_free(struct stopper *s)
{
	if (!s)
		return;
	free(s->stack);
	free(s->late);
	free(s);
}

size_t stopper_late(const struct stopper *s)
{
	return s->late_len;
}

enum wait_state { WAIT_NOT_YET, WAIT_STOPPED, WAIT_ENDED, WAIT_LOST };

/* Looks whether tid has stopped; *signal becomes the signal that its stop must be let go with. */
static enum wait_state poll_stop(pid_t tid, int *signal)
{
	siginfo_t info = {0};
	/* WNOWAIT: if memtop dies before it detaches, the kernel still has the signal. */
	if (waitid(P_PID, (id_t)tid, &info, WSTOPPED | WEXITED | WNOWAIT | WNOHANG | __WALL) < 0)
		return errno == EINTR ? WAIT_NOT_YET : WAIT_LOST;
	if (info.si_pid == 0)
		return WAIT_NOT_YET;
	if (info.si_code != CLD_STOPPED && info.si_code != CLD_TRAPPED)
		return WAIT_ENDED;
	/* si_status of an event stop is signal | event << 8 (ptrace(2)): nothing to pass on, for a
	 * group-stop too, which detaching keeps. Without an event it is a signal on its way to the
	 * target. */
	int event = info.si_status >> 8;
	*signal = event ? 0 : info.si_status & 0xff;
	return WAIT_STOPPED;
}

/* A traced thread that ended must be reaped by its tracer before others can see its end. Children
 * of ours that were spawned are left to target/spawn.c, which learns their exit status. */
static void reap_ended(pid_t pid, pid_t tid)
{
	if (tid != pid) {
		siginfo_t info;
		waitid(P_PID, (id_t)tid, &info, WEXITED | WNOHANG | __WALL);
		return;
	}
	siginfo_t info = {0};
	waitid(P_PID, (id_t)tid, &info, WEXITED | WNOHANG | WNOWAIT);
	if (info.si_pid == 0) /* no child of ours: reaping passes the end on to its parent */
		waitid(P_PID, (id_t)tid, &info, WEXITED | WNOHANG | __WALL);
}

static void nap(uint64_t ns)
{
	sigset_t child;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	struct timespec t = {.tv_nsec = (long)ns};
	sigtimedwait(&child, NULL, &t);
}

/* Spins at first: that is faster than being woken, and a thread stops in 25 us. */
static enum wait_state await_stop(const struct stopper *s, pid_t tid, uint64_t since, int *signal)
{
	for (;;) {
		enum wait_state w = poll_stop(tid, signal);
		if (w != WAIT_NOT_YET)
			return w;
		uint64_t waited = clock_ns() - since;
		if (waited >= WAIT_NS)
			return WAIT_NOT_YET;
		if (waited >=
		    s->spin_ns) /* never yields before: somebody may be standing already */
			nap(NS_PER_MS);
	}
}

#if defined(__x86_64__)
/* A sleep that a stop interrupted shows the kernel's own error numbers, which no program ever sees
 * (include/linux/errno.h, ERESTARTSYS to ERESTART_RESTARTBLOCK), or EINTR; orig_rax is -1 outside
 * of system calls. */
static bool was_asleep(const struct user_regs_struct *r)
{
	int64_t result = (int64_t)r->rax;
	return (int64_t)r->orig_rax >= 0 &&
	       (result == -EINTR || (result <= -512 && result >= -516));
}

static bool read_registers(pid_t tid, struct stop_copy *out)
{
	struct user_regs_struct r;
	struct iovec io = {&r, sizeof r};
	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &io) < 0 || io.iov_len != sizeof r)
		return false; /* a shorter set is that of 32-bit code */
	const uint64_t by_number[SAMPLE_REGS] = {r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi,
	                                         r.rbp, r.rsp, r.r8,  r.r9,  r.r10, r.r11,
	                                         r.r12, r.r13, r.r14, r.r15, r.rip};
	memcpy(out->regs, by_number, sizeof by_number);
	out->asleep = was_asleep(&r);
	return true;
}
#endif

/* In growing pieces that begin at page borders, since a piece with an unreadable page may give
 * nothing. */
static size_t read_stack(pid_t tid, uint64_t sp, uint64_t size, unsigned char *out)
{
	struct iovec pieces[MAX_PIECES];
	unsigned n = 0;
	uint64_t at = 0;
	uint64_t step = PAGE - sp % PAGE;
	while (at < size && n < MAX_PIECES) {
		uint64_t len = size - at < step ? size - at : step;
		pieces[n++] = (struct iovec){(void *)(uintptr_t)(sp + at), len};
		at += len;
		step = n < 8 ? PAGE : 8 * PAGE;
	}
	struct iovec here = {out, at};
	ssize_t got = process_vm_readv(tid, &here, 1, pieces, n, 0);
	return got > 0 ? (size_t)got : 0;
}

static void copy_thread(struct stopper *s, const struct stop_request *r, struct stop_copy *out)
{
	out->stack = s->stack;
	out->stack_len = 0;
	out->asleep = false;
	out->stop_ns = clock_ns();
	if (!read_registers(r->tid, out)) {
		memset(out->regs, 0, sizeof out->regs);
		return;
	}
	uint64_t sp = out->regs[SAMPLE_REG_SP];
	uint64_t end = r->stack_end(r->arg, sp);
	uint64_t size = end > sp ? end - sp : UNKNOWN_SIZE;
	size_t max = r->max_stack < s->max_stack ? r->max_stack : s->max_stack;
	out->stack_len = read_stack(r->tid, sp, size < max ? size : max, s->stack);
}

static void remember_late(struct stopper *s, pid_t pid, pid_t tid)
{
	MEM_GROW(s->late, s->late_len, s->late_cap);
	s->late[s->late_len++] = (struct late){pid, tid};
}

static bool is_late(const struct stopper *s, pid_t tid)
{
	for (size_t i = 0; i < s->late_len; i++)
		if (s->late[i].tid == tid)
			return true;
	return false;
}

static void detach(pid_t tid, int signal)
{
	ptrace(PTRACE_DETACH, tid, NULL, (void *)(intptr_t)signal);
}

/* After an exec by a thread that isn't the leader, that thread goes on under the leader's number
 * (ptrace(2), "execve(2) under ptrace"), still seized, and its stop is reported there. */
static void lost(struct stopper *s, pid_t pid, pid_t tid)
{
	if (tid != pid && !is_late(s, pid))
		remember_late(s, pid, pid);
}

enum stop_result stopper_stop(struct stopper *s, const struct stop_request *r,
                              struct stop_copy *out)
{
	if (s->late_len > 0)
		stopper_sweep(s);
	if (is_late(s, r->tid))
		return STOP_BUSY;
	if (ptrace(PTRACE_SEIZE, r->tid, NULL, NULL) < 0)
		return errno == ESRCH ? STOP_GONE : STOP_DENIED;
	uint64_t asked = clock_ns();
	ptrace(PTRACE_INTERRUPT, r->tid, NULL, NULL);
	int signal = 0;
	enum wait_state w = await_stop(s, r->tid, asked, &signal);
	if (w == WAIT_STOPPED) {
		copy_thread(s, r, out);
		detach(r->tid, signal);
		uint64_t now = clock_ns();
		out->window_ns = now - asked;
		out->halted_ns = now - out->stop_ns;
		return out->regs[SAMPLE_REG_SP] ? STOP_DONE : STOP_GONE;
	}
	if (w == WAIT_NOT_YET) {
		remember_late(s, r->pid, r->tid);
		return STOP_LATE;
	}
	if (w == WAIT_ENDED)
		reap_ended(r->pid, r->tid);
	else
		lost(s, r->pid, r->tid);
	return STOP_GONE;
}

void stopper_sweep(struct stopper *s)
{
	for (size_t i = 0; i < s->late_len;) {
		struct late l = s->late[i];
		int signal = 0;
		enum wait_state w = poll_stop(l.tid, &signal);
		if (w == WAIT_NOT_YET) {
			i++;
			continue;
		}
		s->late[i] = s->late[--s->late_len];
		if (w == WAIT_STOPPED)
			detach(l.tid, signal);
		else if (w == WAIT_ENDED)
			reap_ended(l.pid, l.tid);
		else
			lost(s, l.pid, l.tid);
	}
}
