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

/* One look: RSS was watched from begin until it first grew (seen), for window_ns at most. Then a
 * thread was stopped, which stood for halted_ns, and RSS was read again until the target had run
 * for the whole window (after), or once if it had by then. */
struct estimate_look {
	struct rss_reading begin, seen, after;
	double window_ns, halted_ns;
};

/* True while the target has not run for the whole window at the time of after. */
bool estimate_open(const struct estimate_look *l);

/* The growth while the target ran for window_ns, by kind: as it was up to seen, and what came after
 * that in proportion to how much of the time until after belongs to the window. For looks at random
 * times its mean is the mean growth in a window, for single faults, bursts and huge pages alike:
 * tests/unit/engine/test_estimate.c simulates them. */
void estimate_window(const struct estimate_look *l, double out[MEM_KINDS]);

#endif
