/* SPDX-License-Identifier: MIT */
#ifndef MEMTOP_PROC_READ_H
#define MEMTOP_PROC_READ_H

#include <stddef.h>
#include <sys/types.h>

/* Reads a small /proc file from its beginning in one pread(2), so that it is one consistent text,
 * and terminates it. Returns its length, or -1 with errno (ESRCH: its process has ended). */
ssize_t proc_read(int fd, char *buf, size_t size);

/* A whole text file of any size, terminated by NUL, malloc'ed; NULL with errno. */
char *proc_slurp(int fd, size_t *len);

#endif
