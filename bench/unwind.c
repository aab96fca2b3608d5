/* SPDX-License-Identifier: MIT */
/* What unwinding costs: a target some 36 calls deep, without frame pointers, unwound by libdw and
 * by libunwind from a sample, and by libunwind-ptrace from the stopped target. Prints a table. */
#include "base/clock.h"
#include "base/mem.h"
#include "module/modules.h"
#include "unwind/unwind.h"

#include <elf.h>
#include <errno.h>
#include <libunwind-ptrace.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEPTH      30
#define STACK_COPY 65536
#define MAX_FRAMES 256
#define RUNS       15
#define SECONDS    120 /* at most, for the whole program */

/* --- the target: built with -O2 -fomit-frame-pointer --- */

#ifdef __clang__
#define CODE __attribute__((noinline))
#else
#define CODE __attribute__((noinline, noclone, optimize("omit-frame-pointer")))
#endif

static int descend_a(int depth, int ready);

/* Frames of different size, with saved registers in them, as real ones are. */
static CODE int descend_c(int depth, int ready)
{
	volatile char local[200];
	local[0] = (char)depth;
	int r = descend_a(depth - 1, ready);
	return r + local[0] + depth * ready;
}

static CODE int descend_b(int depth, int ready)
{
	volatile long local[3] = {depth, ready, depth + ready};
	int r = descend_c(depth - 1, ready + (depth & 1) - (depth & 1));
	return r + (int)local[0] + (int)local[1] * depth;
}

static CODE int descend_a(int depth, int ready)
{
	if (depth <= 0) {
		if (write(ready, "x", 1) != 1)
			return 0;
		for (;;)
			pause();
	}
	int r = descend_b(depth - 1, ready);
	return r * depth + ready;
}

static pid_t start_target(void)
{
	int ready[2];
	char c;
	if (pipe(ready) != 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		_exit(descend_a(DEPTH, ready[1]) & 1);
	}
	close(ready[1]);
	if (pid > 0 && read(ready[0], &c, 1) != 1) {
		kill(pid, SIGKILL);
		pid = -1;
	}
	close(ready[0]);
	return pid;
}

/* --- a sample of it; it stays stopped --- */

static bool stop(pid_t pid)
{
	int status;
	return ptrace(PTRACE_SEIZE, pid, 0, 0) == 0 && ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0 &&
	       waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status);
}

static struct sample *capture(pid_t pid, const struct process *p)
{
	struct user_regs_struct r;
	struct iovec iov = {&r, sizeof r};
	if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &iov) != 0)
		return NULL;
	const uint64_t regs[SAMPLE_REGS] = {r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi,
	                                    r.rbp, r.rsp, r.r8,  r.r9,  r.r10, r.r11,
	                                    r.r12, r.r13, r.r14, r.r15, r.rip};
	struct sample *s = mem_alloc(sizeof *s + STACK_COPY);
	s->tid = pid;
	memcpy(s->regs, regs, sizeof regs);
	s->stack_len = process_read(p, r.rsp, s->stack, STACK_COPY);
	return s;
}

/* --- measuring --- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void report(const char *name, double us[RUNS], size_t frames)
{
	qsort(us, RUNS, sizeof us[0], by_value);
	printf("%-48s %8.2f %8.2f %8.2f %6zu\n", name, us[RUNS / 2], us[0], us[RUNS - 1], frames);
}

static void measure_ours(const char *name, const struct unwinder_ops *ops, struct unwinder *u,
                         const struct sample *s, struct chain *c)
{
	enum { REPEAT = 1000 };
	double us[RUNS];
	ops->walk(u, s, c); /* opens files, fills caches */
	for (int run = 0; run < RUNS; run++) {
		uint64_t start = clock_ns();
		for (int i = 0; i < REPEAT; i++)
			ops->walk(u, s, c);
		us[run] = (double)(clock_ns() - start) / 1e3 / REPEAT / (double)c->len;
	}
	report(name, us, c->len);
}

static size_t walk_live(unw_addr_space_t space, void *arg)
{
	unw_cursor_t cursor;
	size_t n = 0;
	if (unw_init_remote(&cursor, space, arg) != 0)
		return 0;
	do {
		n++;
	} while (n < MAX_FRAMES && unw_step(&cursor) > 0);
	return n;
}

static void measure_live(const char *name, pid_t pid, unw_caching_policy_t policy, int repeat)
{
	double us[RUNS];
	size_t n = 0;
	unw_addr_space_t space = unw_create_addr_space(&_UPT_accessors, 0);
	void *arg = _UPT_create(pid);
	if (!space || !arg)
		exit(1);
	unw_set_caching_policy(space, policy);
	walk_live(space, arg);
	for (int run = 0; run < RUNS; run++) {
		uint64_t start = clock_ns();
		for (int i = 0; i < repeat; i++)
			n = walk_live(space, arg);
		us[run] = (double)(clock_ns() - start) / 1e3 / repeat / (double)(n ? n : 1);
	}
	report(name, us, n);
	_UPT_destroy(arg);
	unw_destroy_addr_space(space);
}

static void compare(const struct chain *a, const struct chain *b)
{
	size_t same = 0, longer = a->len > b->len ? a->len : b->len;
	for (size_t i = 0; i < a->len && i < b->len; i++)
		same += a->frames[i].pc == b->frames[i].pc &&
		        a->frames[i].exact == b->frames[i].exact;
	printf("\nlibdw and libunwind agree on %zu of %zu frames: %.1f %%; ends %s\n", same, longer,
	       100.0 * (double)same / (double)longer, a->end == b->end ? "alike" : "differ");
}

static int run(pid_t pid)
{
	struct err e;
	struct process *p = process_open(pid, &e);
	if (!p) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	struct modules *m = modules_new(p, &(struct modules_config){.debuginfod = false});
	modules_refresh(m);
	struct sample *s = stop(pid) ? capture(pid, p) : NULL;
	struct unwinder *dw = unwinder_libdw.open(m, p, &e);
	struct unwinder *un = unwinder_libunwind.open(m, p, &e);
	struct chain *a = chain_new(MAX_FRAMES), *b = chain_new(MAX_FRAMES);
	if (s && dw && un) {
		printf("%-48s %8s %8s %8s %6s\n", "µs per frame", "median", "least", "most",
		       "frames");
		measure_ours("libdw, stack copy", &unwinder_libdw, dw, s, a);
		measure_ours("libunwind, stack copy, cached", &unwinder_libunwind, un, s, b);
		measure_live("libunwind-ptrace, live, UNW_CACHE_GLOBAL", pid, UNW_CACHE_GLOBAL, 50);
		measure_live("libunwind-ptrace, live, no cache", pid, UNW_CACHE_NONE, 3);
		compare(a, b);
	}
	bool ok = s && dw && un && a->len >= DEPTH && a->end == CHAIN_COMPLETE;
	chain_free(a);
	chain_free(b);
	unwinder_libdw.close(dw);
	unwinder_libunwind.close(un);
	modules_free(m);
	process_free(p);
	free(s);
	return ok ? 0 : 1;
}

int main(void)
{
	alarm(SECONDS);
	pid_t pid = start_target();
	if (pid < 0) {
		fprintf(stderr, "the target did not start: %s\n", strerror(errno));
		return 1;
	}
	int r = run(pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
	return r;
}
