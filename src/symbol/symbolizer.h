/* SPDX-License-Identifier: MIT */
/* Program counters to frames: names, inlined functions, lines. Everything is cached. */
#ifndef MEMTOP_SYMBOL_SYMBOLIZER_H
#define MEMTOP_SYMBOL_SYMBOLIZER_H

#include "base/intern.h"
#include "module/modules.h"
#include "symbol/frame.h"
#include "unwind/unwind.h"

#include <stddef.h>

struct symbolizer;

struct symbolizer_config {
	bool inlines; /* inlined functions become frames of their own */
};

/* modules and strings must outlive it. */
struct symbolizer *symbolizer_new(struct modules *m, struct intern *strings,
                                  const struct symbolizer_config *c);
void symbolizer_free(struct symbolizer *s); /* NULL-safe */

/* The frames of one pc, innermost first: inlined functions, then the function itself; at least one.
 * Owned by the symbolizer until symbolizer_modules_changed or symbolizer_free. */
const struct frame *symbolizer_lookup(struct symbolizer *s, struct chain_frame pc, size_t *count);

/* The modules changed: what was cached by address is void. (Strings stay.) */
void symbolizer_modules_changed(struct symbolizer *s);

#endif
