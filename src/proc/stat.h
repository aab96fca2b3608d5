/* SPDX-License-Identifier: MIT */
/* /proc/PID/stat and /proc/PID/task/TID/stat (proc_pid_stat(5)). */
#ifndef MEMTOP_PROC_STAT_H
#define MEMTOP_PROC_STAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_stat {
	pid_t pid;
	char comm[64]; /* 15 bytes for a user's task; kernel threads may have more */
	char state;    /* R, S, D, T, t, Z, X, I, … */
	pid_t ppid;
	uint64_t flags;          /* PF_* of include/linux/sched.h */
	uint64_t minflt, majflt; /* of the thread, or summed over the process */
	uint64_t num_threads;
	int cpu;             /* that it last ran on */
	uint64_t start_time; /* clock ticks since boot: a PID and this name one process for good */
};

#define PROC_PF_KTHREAD UINT64_C(0x00200000)

/* False where the text is no stat line. comm may hold any byte, so it is found by its last ')'. */
bool proc_stat_parse(const char *text, struct proc_stat *out);

#endif
