/* SPDX-License-Identifier: MIT */
#ifndef MEMTOP_TARGET_FIND_H
#define MEMTOP_TARGET_FIND_H

#include "base/err.h"

#include <sys/types.h>

/* The newest process of that name (its comm, or the file name of argv[0], which isn't cut at 15
 * bytes); 0 with an error if there is none. memtop itself is left out. */
pid_t find_newest(const char *name, struct err *e);

#endif
