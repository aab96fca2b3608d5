/* SPDX-License-Identifier: MIT */
/* The call site that a stack is blamed on: its innermost frame that isn't plumbing. */
#ifndef MEMTOP_PROFILE_CALLSITE_H
#define MEMTOP_PROFILE_CALLSITE_H

#include "profile/profile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True for what only carries out its caller's wish for memory: the C library, the dynamic loader,
 * allocators, the standard libraries of C++ and Rust, the vdso. Nobody looks for a leak in memset.
 */
bool callsite_is_plumbing(const struct frame *f);

/* The index in frames (leaf first) of the call site; the leaf where all is plumbing. */
size_t callsite_of(const struct stack_table *t, const uint32_t *frames, size_t n);

struct callsite {
	uint32_t frame; /* of its heaviest stack: where lines were put together, the one that counts
	                   most */
	uint64_t bytes;
	uint32_t heaviest; /* its stack with the most bytes */
	uint64_t heaviest_bytes;
};

/* The call sites by growth, largest first; malloc'ed. A function that calls plumbing has a call
 * site for each line that does so; one that touches memory itself is one call site, since a loop's
 * lines all touch it. */
struct callsite *callsites(const struct stack_table *t, const struct attribution *a, size_t *len);

#endif
