/* SPDX-License-Identifier: MIT */
/* Address ranges that may nest, and which is the innermost at an address. Private to src/symbol. */
#ifndef MEMTOP_SYMBOL_RANGES_H
#define MEMTOP_SYMBOL_RANGES_H

#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t start, end;
	size_t value;
	size_t outer; /* index + 1 of the range that start lies in besides this one; 0: none */
};

struct ranges {
	struct range *list;
	size_t len, cap;
};

/* Empty ranges are left out. */
void ranges_add(struct ranges *r, uint64_t start, uint64_t end, size_t value);

/* To be called once, after the last ranges_add. Of equal ranges the lower value wins. */
void ranges_sort(struct ranges *r);

/* The innermost range that holds addr, or NULL. */
const struct range *ranges_find(const struct ranges *r, uint64_t addr);

void ranges_clear(struct ranges *r);

#endif
