/* SPDX-License-Identifier: MIT */
/* What the main thread waits for: time, signals, and the end of targets. */
#ifndef MEMTOP_APP_LOOP_H
#define MEMTOP_APP_LOOP_H

#include "base/err.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;

enum loop_event {
	LOOP_TIME, /* the time has come */
	LOOP_QUIT, /* a signal asks memtop to end */
	LOOP_EXIT, /* a target may have ended */
};

/* Blocks the signals that it waits for, and SIGCHLD (target/stop.h). */
struct loop *loop_new(struct err *e);
void loop_free(struct loop *l); /* NULL-safe; the signal mask becomes what it was */

const sigset_t *loop_original_mask(const struct loop *l);
bool loop_watch_exit(struct loop *l, int pidfd, struct err *e);

/* Waits until CLOCK_MONOTONIC is until_ns at most. shared_terminal: Ctrl-C and Ctrl-\ are for the
 * command that was started, and its end will end memtop. */
enum loop_event loop_wait(struct loop *l, uint64_t until_ns, bool shared_terminal);

#endif
