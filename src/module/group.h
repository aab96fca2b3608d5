/* SPDX-License-Identifier: MIT */
/* Which mappings belong to one ELF object. Private to src/module. */
#ifndef MEMTOP_MODULE_GROUP_H
#define MEMTOP_MODULE_GROUP_H

#include "proc/maps.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GROUP_NONE UINT32_MAX

/* Neighbouring mappings of one file, from maps->list[first] to [last]; others may lie between. */
struct group {
	size_t first, last;
	uint64_t end;
};

struct groups {
	struct group *list; /* by address; only those with executable memory, and [vdso] */
	size_t len;
	uint32_t *of_mapping; /* for each mapping its group, or GROUP_NONE */
};

void groups_make(const struct maps *maps, struct groups *out);
void groups_clear(struct groups *g);

#endif
