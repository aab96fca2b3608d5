/* SPDX-License-Identifier: MIT */
/* Durations in logarithmic buckets: quantiles to within 4 % in constant memory. */
#ifndef MEMTOP_BASE_HISTOGRAM_H
#define MEMTOP_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB 16 /* buckets per doubling */

struct histogram {
	uint64_t count, sum, max;
	uint32_t buckets[64 * HISTOGRAM_SUB];
};

void histogram_add(struct histogram *h, uint64_t value);

/* The value below which a share q (0..1) of what was added lies; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *h, double q);

#endif
