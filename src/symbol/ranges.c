/* SPDX-License-Identifier: MIT */
#include "symbol/ranges.h"

#include "base/mem.h"

#include <stdlib.h>

void ranges_add(struct ranges *r, uint64_t start, uint64_t end, size_t value)
{
	if (start >= end)
		return;
	MEM_GROW(r->list, r->len, r->cap);
	r->list[r->len++] = (struct range){.start = start, .end = end, .value = value};
}

/* Outer before inner, so that the inner one is found first from above. */
static int compare(const void *pa, const void *pb)
{
	const struct range *a = pa, *b = pb;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->end != b->end)
		return a->end > b->end ? -1 : 1;
	return (a->value < b->value) - (a->value > b->value);
}

void ranges_sort(struct ranges *r)
{
	if (r->len > 1)
		qsort(r->list, r->len, sizeof *r->list, compare);
	for (size_t i = 0; i < r->len; i++) {
		size_t outer = i; /* index + 1 of the one before */
		while (outer > 0 && r->list[outer - 1].end <= r->list[i].start)
			outer = r->list[outer - 1].outer;
		r->list[i].outer = outer;
	}
}

const struct range *ranges_find(const struct ranges *r, uint64_t addr)
{
	size_t lo = 0, hi = r->len; /* lo: how many start at or below addr */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (r->list[mid].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	while (lo > 0 && addr >= r->list[lo - 1].end)
		lo = r->list[lo - 1].outer;
	return lo > 0 ? &r->list[lo - 1] : NULL;
}

void ranges_clear(struct ranges *r)
{
	free(r->list);
	*r = (struct ranges){0};
}
