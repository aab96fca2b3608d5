/* SPDX-License-Identifier: MIT */
/* One thread stopped for some tens of microseconds, its registers and stack copied. This file and
 * target/spawn.c are the only callers of ptrace, and write nothing into the target:
 * doc/ARCHITECTURE.md. */
#ifndef MEMTOP_TARGET_STOP_H
#define MEMTOP_TARGET_STOP_H

#include "engine/sample.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All calls must come from the same thread, with SIGCHLD blocked: ptrace(2) knows the tracer by its
 * thread. */
struct stopper;

enum stop_result {
	STOP_DONE,
	STOP_GONE,   /* the thread has ended */
	STOP_BUSY,   /* an earlier stop of it is still on its way */
	STOP_LATE,   /* it did not stop in time (D state): it will be let go when it does */
	STOP_DENIED, /* the kernel refused: another tracer came, or privileges changed */
};

/* Where a stack may end, asked while the thread is stopped, so it must not block or allocate:
 * the exclusive end of the memory that holds sp, or 0 where that isn't known. */
typedef uint64_t stop_stack_end(void *arg, uint64_t sp);

struct stop_request {
	pid_t pid, tid;
	size_t max_stack; /* bytes to copy at most */
	stop_stack_end *stack_end;
	void *arg;
};

struct stop_copy {
	uint64_t regs[SAMPLE_REGS];
	bool asleep; /* it had just gone to sleep in a system call, which the stop interrupted */
	const unsigned char *stack; /* owned by the stopper, valid until its next stop */
	size_t stack_len;
	uint64_t stop_ns;   /* when the registers were read, CLOCK_MONOTONIC */
	uint64_t window_ns; /* from asking the thread to stop until it could run again */
	uint64_t halted_ns; /* the part of it for which the thread was seen standing */
};

/* max_stack: the largest copy that will ever be asked for. */
struct stopper *stopper_new(size_t max_stack);
void stopper_free(struct stopper *s); /* NULL-safe; the kernel lets go what is still seized */

enum stop_result stopper_stop(struct stopper *s, const struct stop_request *r,
                              struct stop_copy *out);

/* Lets late threads go that have stopped by now. Call it often while stopper_late() is not 0. */
void stopper_sweep(struct stopper *s);
size_t stopper_late(const struct stopper *s);

#endif
