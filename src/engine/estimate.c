/* SPDX-License-Identifier: MIT */
#include "engine/estimate.h"

#define PAGE       UINT64_C(4096)
#define HUGE_PAGES UINT64_C(512)
#define AROUND     UINT64_C(16) /* file pages mapped by one fault: fault_around_bytes, mm/memory.c */

bool estimate_grew(const struct rss_reading *a, const struct rss_reading *b)
{
	for (int k = 0; k < MEM_KINDS; k++)
		if (b->bytes[k] > a->bytes[k])
			return true;
	return false;
}

void estimate_rate(const struct rss_reading *a, const struct rss_reading *b, double interval_ns,
                   double out[MEM_KINDS])
{
	double window = b->time_ns > a->time_ns ? (double)(b->time_ns - a->time_ns) : 1;
	for (int k = 0; k < MEM_KINDS; k++) {
		double grown = b->bytes[k] > a->bytes[k] ? (double)(b->bytes[k] - a->bytes[k]) : 0;
		out[k] = grown * interval_ns / window;
	}
}

uint64_t estimate_faults(const struct rss_reading *a, const struct rss_reading *b)
{
	uint64_t faults = 0;
	for (int k = 0; k < MEM_KINDS; k++) {
		if (b->bytes[k] <= a->bytes[k])
			continue;
		uint64_t pages = (b->bytes[k] - a->bytes[k]) / PAGE;
		if (k == MEM_ANON)
			faults += pages / HUGE_PAGES + pages % HUGE_PAGES;
		else
			faults += (pages + AROUND - 1) / AROUND;
	}
	return faults;
}
