/* SPDX-License-Identifier: MIT */
#include "engine/estimate.h"

#define LEAST_NS 5000.0 /* of running time, for a rate that means anything */

bool estimate_grew(const struct rss_reading *a, const struct rss_reading *b)
{
	for (int k = 0; k < MEM_KINDS; k++)
		if (b->bytes[k] > a->bytes[k])
			return true;
	return false;
}

static double growth(const struct rss_reading *a, const struct rss_reading *b, int kind)
{
	return b->bytes[kind] > a->bytes[kind] ? (double)(b->bytes[kind] - a->bytes[kind]) : 0;
}

static double between(const struct rss_reading *a, const struct rss_reading *b)
{
	return b->time_ns > a->time_ns ? (double)(b->time_ns - a->time_ns) : 0;
}

bool estimate_open(const struct estimate_look *l)
{
	return between(&l->begin, &l->after) - l->halted_ns < l->window_ns;
}

void estimate_window(const struct estimate_look *l, double out[MEM_KINDS])
{
	double left = l->window_ns - between(&l->begin, &l->seen);
	double ran = between(&l->seen, &l->after) - l->halted_ns;
	if (ran < LEAST_NS)
		ran = LEAST_NS;
	for (int k = 0; k < MEM_KINDS; k++) {
		out[k] = growth(&l->begin, &l->seen, k);
		if (left > 0)
			out[k] += growth(&l->seen, &l->after, k) / ran * left;
	}
}
