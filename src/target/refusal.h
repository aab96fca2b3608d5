/* SPDX-License-Identifier: MIT */
/* Why a process can't be watched, and what to do about it. */
#ifndef MEMTOP_TARGET_REFUSAL_H
#define MEMTOP_TARGET_REFUSAL_H

#include "base/err.h"

#include <sys/types.h>

/* True if pid may be watched by ptrace; otherwise e says why not, in one line. procfd is
 * /proc/PID. Tries what ptrace would check without touching the process. */
bool refusal_check(pid_t pid, int procfd, struct err *e);

/* e for a PID that does not exist (or can't be seen: a /proc mounted with hidepid). */
bool refusal_no_process(pid_t pid, struct err *e);

#endif
