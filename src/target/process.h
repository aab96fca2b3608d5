/* SPDX-License-Identifier: MIT */
/* A running process, held by descriptors that can never come to mean another one. */
#ifndef MEMTOP_TARGET_PROCESS_H
#define MEMTOP_TARGET_PROCESS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process;

/* Opens a process that may be watched, or says why it may not (see target/refusal.h). */
struct process *process_open(pid_t pid, struct err *e);
void process_free(struct process *p); /* NULL-safe */

pid_t process_pid(const struct process *p);
const char *process_name(const struct process *p); /* comm, made printable */
void process_rename(struct process *p);            /* reads the name again, as after an exec */
int process_pidfd(const struct process *p);        /* readable once it has ended */
bool process_alive(const struct process *p);

/* Opens a file below /proc/PID, such as "maps" or "root/usr/lib/libc.so"; a descriptor or -1 with
 * errno. O_CLOEXEC is added. After the process ended it fails with ESRCH, whoever has its PID now.
 */
int process_openat(const struct process *p, const char *path, int flags);

/* The main thread may end before the others (pthread_exit in main); /proc/PID/statm, maps, exe, …
 * are then empty or gone, and those of a living thread serve instead. Looks for one; false if none
 * lives. Any thread may call it. */
bool process_follow(const struct process *p);

/* A text file below /proc/PID, whole, terminated by NUL; malloc'ed, or NULL with errno. */
char *process_slurp(const struct process *p, const char *path, size_t *len);

/* Reads up to len bytes at addr (process_vm_readv(2)). Returns how many could be read, from the
 * start; 0 where the first is unreadable. Never stops the target. */
size_t process_read(const struct process *p, uint64_t addr, void *buf, size_t len);

#endif
