/* SPDX-License-Identifier: MIT */
/* What both unwinders do alike: which frames are believed, and where a walk ends. Private to
 * src/unwind. */
#ifndef MEMTOP_UNWIND_WALK_H
#define MEMTOP_UNWIND_WALK_H

#include "unwind/memory.h"
#include "unwind/unwind.h"

struct mapping;

struct walk {
	const struct modules *modules;
	struct memory *memory;
	struct chain *chain;
	uint64_t sp;                /* of the last frame */
	const struct mapping *text; /* that held the last frame's pc */
};

void walk_begin(struct walk *w, const struct modules *m, struct memory *mem, struct chain *c,
                const struct sample *s);

/* Adds a frame, or ends the chain (false) because it can't be one or there are too many.
 * interrupted: a signal frame led here, so the stack may be another one. */
bool walk_add(struct walk *w, struct chain_frame f, uint64_t sp, bool interrupted);

/* Ends the chain because the last step failed. */
void walk_fail(struct walk *w);

/* Copies to the chain what the memory learnt. */
void walk_end(struct walk *w);

#endif
