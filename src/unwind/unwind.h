/* SPDX-License-Identifier: MIT */
/* Registers and a stack copy to a call chain. */
#ifndef MEMTOP_UNWIND_UNWIND_H
#define MEMTOP_UNWIND_UNWIND_H

#include "base/err.h"
#include "engine/sample.h"
#include "module/modules.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chain_frame {
	uint64_t pc;
	bool exact; /* pc is where it stood (leaf, signal frame); else a return address: look up pc
	               - 1 */
};

enum chain_end {
	CHAIN_COMPLETE,  /* the outermost frame was reached */
	CHAIN_MAX,       /* the frame cap cut it */
	CHAIN_NO_MEMORY, /* stack memory beyond the copy could not be read */
	CHAIN_STUCK,     /* no unwind information, or a CFA that did not rise */
};

struct chain {
	struct chain_frame *frames; /* leaf first */
	size_t len, cap;            /* cap is the frame cap */
	enum chain_end end;
	bool live;             /* memory beyond the copy was read from the running target */
	uint64_t stack_wanted; /* bytes above the first SP that the walk asked for */
};

struct chain *chain_new(size_t max_frames);
void chain_free(struct chain *c); /* NULL-safe */

struct unwinder;

struct unwinder_ops {
	const char *name;
	/* modules and process must outlive it. */
	struct unwinder *(*open)(struct modules *m, const struct process *p, struct err *e);
	void (*close)(struct unwinder *u); /* NULL-safe */
	/* Fills c; there is always at least the leaf. */
	void (*walk)(struct unwinder *u, const struct sample *s, struct chain *c);
	/* The modules changed (modules_refresh gave true): drop what was cached of them. */
	void (*modules_changed)(struct unwinder *u);
};

extern const struct unwinder_ops unwinder_libdw, unwinder_libunwind;

/* By name, or NULL. */
const struct unwinder_ops *unwinder_by_name(const char *name);

#endif
