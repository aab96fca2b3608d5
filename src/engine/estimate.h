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

/* Bytes per interval_ns at the rate of growth from a to b, by kind; what fell counts as 0. */
void estimate_rate(const struct rss_reading *a, const struct rss_reading *b, double interval_ns,
                   double out[MEM_KINDS]);

/* Page faults that the growth from a to b took, about: huge pages and neighbours mapped along count
 * once. */
uint64_t estimate_faults(const struct rss_reading *a, const struct rss_reading *b);

#endif
