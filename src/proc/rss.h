/* SPDX-License-Identifier: MIT */
/* Resident memory by kind: /proc/PID/statm (proc_pid_statm(5)), /proc/PID/status, smaps_rollup. */
#ifndef MEMTOP_PROC_RSS_H
#define MEMTOP_PROC_RSS_H

#include <stdbool.h>
#include <stdint.h>

/* In pages. size is 0 where the process has no memory any more: its RSS is then unknown, not 0. */
struct proc_statm {
	uint64_t size, resident, shared;
};

bool proc_statm_parse(const char *text, struct proc_statm *out);

/* In bytes. found is false where the process has no memory any more. */
struct proc_status {
	uint64_t anon, file, shmem, swap, high_water;
	uint64_t threads;
	uint32_t uid, tracer; /* effective user; PID of the tracer or 0 */
	bool found;
};

bool proc_status_parse(const char *text, struct proc_status *out);

/* The value in bytes of "KEY:  N kB" at a line's start; false where there is none. */
bool proc_kb_field(const char *text, const char *key, uint64_t *bytes);

#endif
