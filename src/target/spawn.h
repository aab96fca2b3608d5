/* SPDX-License-Identifier: MIT */
/* A command started to be watched: held at its first instruction until everything is ready. */
#ifndef MEMTOP_TARGET_SPAWN_H
#define MEMTOP_TARGET_SPAWN_H

#include "base/err.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* Starts argv with the signal mask given. On success it is stopped right after its exec, before its
 * first instruction, traced by the calling thread; if memtop dies now, it runs. Returns its PID or
 * 0. */
pid_t spawn_start(char *const argv[], const sigset_t *mask, struct err *e);

/* Lets it run, untraced. Same thread as spawn_start. */
void spawn_release(pid_t pid);

/* Ends it: SIGTERM, then SIGKILL after grace_ms. For --kill, and if it can't be watched. */
void spawn_end(pid_t pid, int grace_ms);

struct spawn_exit {
	bool known;
	int status; /* the exit status, if signal is 0 */
	int signal;
};

/* Reaps it if it has ended. */
struct spawn_exit spawn_reap(pid_t pid);

#endif
