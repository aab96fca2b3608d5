/* SPDX-License-Identifier: MIT */
/* The call tree: callers above callees, with self and total growth. */
#ifndef MEMTOP_PROFILE_TREE_H
#define MEMTOP_PROFILE_TREE_H

#include "profile/profile.h"

#include <stddef.h>
#include <stdint.h>

#define TREE_NONE UINT32_MAX

struct tree_node {
	uint32_t frame; /* TREE_NONE at the root */
	uint32_t parent, first_child,
	        next; /* node numbers or TREE_NONE; children with the largest total first */
	uint64_t self, total;
};

struct tree {
	struct tree_node *nodes; /* [0] is the root */
	size_t len;
};

struct tree *tree_build(const struct stack_table *t, const struct attribution *a);
void tree_free(struct tree *t); /* NULL-safe */

#endif
