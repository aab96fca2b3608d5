/* SPDX-License-Identifier: MIT */
/* How much a stop says: the growth that its stack stands for. Pure arithmetic, explained in
 * doc/ARCHITECTURE.md. */
#ifndef MEMTOP_ENGINE_ESTIMATE_H
#define MEMTOP_ENGINE_ESTIMATE_H

#include "engine/sample.h"

#include <stdbool.h>
#include <stdint.h>

struct rss_reading {
	uint64_t time_ns;
	uint64_t bytes[MEM_KINDS];
};

/* True if any kind grew from a to b. */
bool estimate_grew(const struct rss_reading *a, const struct rss_reading *b);

/* One look: RSS was watched from begin for window_ns at most, until it first grew (seen). Then a
 * thread was stopped, which stood for halted_ns, and after came when it ran again. */
struct estimate_look {
	struct rss_reading begin, seen, after;
	double window_ns, halted_ns;
};

/* The growth in the whole window, by kind: that up to seen as it was, and that of the rest at the
 * rate after it. For looks at random times its mean is the mean growth in a window, for single
 * faults, bursts and huge pages alike. */
void estimate_window(const struct estimate_look *l, double out[MEM_KINDS]);

#endif
