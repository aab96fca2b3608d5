/* SPDX-License-Identifier: MIT */
#include "base/histogram.h"

#define SUB_BITS 4
_Static_assert(1 << SUB_BITS == HISTOGRAM_SUB, "one constant, two forms");

static unsigned bucket_of(uint64_t v)
{
	if (v < HISTOGRAM_SUB)
		return (unsigned)v;
	unsigned top = 63U - (unsigned)__builtin_clzll(v);
	unsigned sub = (unsigned)(v >> (top - SUB_BITS)) & (HISTOGRAM_SUB - 1);
	return (top - SUB_BITS + 1) * HISTOGRAM_SUB + sub;
}

static uint64_t value_of(unsigned bucket)
{
	if (bucket < HISTOGRAM_SUB)
		return bucket;
	unsigned shift = bucket / HISTOGRAM_SUB - 1;
	uint64_t low = (uint64_t)(HISTOGRAM_SUB + bucket % HISTOGRAM_SUB) << shift;
	return low + ((UINT64_C(1) << shift) >> 1); /* the middle */
}

void histogram_add(struct histogram *h, uint64_t v)
{
	h->count++;
	h->sum += v;
	if (v > h->max)
		h->max = v;
	h->buckets[bucket_of(v)]++;
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
	uint64_t rank = (uint64_t)(q * (double)h->count);
	uint64_t seen = 0;
	for (unsigned i = 0; i < sizeof h->buckets / sizeof h->buckets[0]; i++) {
		seen += h->buckets[i];
		if (seen > rank) {
			uint64_t v = value_of(i);
			return v > h->max ? h->max : v;
		}
	}
	return h->max;
}
