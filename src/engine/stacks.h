/* SPDX-License-Identifier: MIT */
/* Where the target's stacks end: the borders of its writable mappings, ready before a stop. */
#ifndef MEMTOP_ENGINE_STACKS_H
#define MEMTOP_ENGINE_STACKS_H

#include "target/process.h"

#include <stdint.h>

struct stacks;

struct stacks *stacks_new(const struct process *p);
void stacks_free(struct stacks *s); /* NULL-safe */

/* The exclusive end of the mapping that holds sp, or 0. Neither allocates nor calls the kernel: a
 * thread may be waiting for it (stop_stack_end in target/stop.h). */
uint64_t stacks_end(void *stacks, uint64_t sp);

/* Reads the mappings again if an earlier stacks_end gave 0; never more than 1 % of the time. */
void stacks_refresh(struct stacks *s);

#endif
