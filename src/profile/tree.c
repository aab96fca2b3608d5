/* SPDX-License-Identifier: MIT */
#include "profile/tree.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>

static uint32_t child(struct tree *t, size_t *cap, struct hash *index, uint32_t parent,
                      uint32_t frame)
{
	uint64_t key = (uint64_t)parent << 32 | frame;
	const uint64_t *found = hash_get(index, key);
	if (found)
		return (uint32_t)*found;
	MEM_GROW(t->nodes, t->len, *cap);
	uint32_t id = (uint32_t)t->len++;
	t->nodes[id] = (struct tree_node){
	        .frame = frame, .parent = parent, .first_child = TREE_NONE, .next = TREE_NONE};
	hash_put(index, key, id);
	return id;
}

struct order {
	uint32_t id, parent;
	uint64_t total;
};

static int by_parent_then_total(const void *va, const void *vb)
{
	const struct order *a = va, *b = vb;
	if (a->parent != b->parent)
		return a->parent < b->parent ? -1 : 1;
	if (a->total != b->total)
		return a->total < b->total ? -1
		                           : 1; /* the largest is linked last, so it comes first */
	return a->id > b->id ? -1 : a->id < b->id;
}

static void link_children(struct tree *t)
{
	if (t->len < 2)
		return;
	struct order *o = mem_alloc(t->len * sizeof *o);
	for (uint32_t i = 1; i < t->len; i++)
		o[i - 1] = (struct order){i, t->nodes[i].parent, t->nodes[i].total};
	qsort(o, t->len - 1, sizeof *o, by_parent_then_total);
	for (size_t i = 0; i < t->len - 1; i++) {
		struct tree_node *parent = &t->nodes[o[i].parent];
		t->nodes[o[i].id].next = parent->first_child;
		parent->first_child = o[i].id;
	}
	free(o);
}

struct tree *tree_build(const struct stack_table *stacks, const struct attribution *a)
{
	struct tree *t = mem_alloc(sizeof *t);
	struct hash *index = hash_new();
	size_t cap = 0;
	child(t, &cap, index, TREE_NONE, TREE_NONE);
	for (uint32_t s = 0; s < a->len; s++) {
		if (a->bytes[s] == 0)
			continue;
		size_t n;
		const uint32_t *frames = stack_table_get_stack(stacks, s, &n);
		uint32_t at = 0;
		t->nodes[0].total += a->bytes[s];
		while (n-- > 0) { /* from the outermost frame inwards */
			at = child(t, &cap, index, at, frames[n]);
			t->nodes[at].total += a->bytes[s];
		}
		t->nodes[at].self += a->bytes[s];
	}
	hash_free(index);
	link_children(t);
	return t;
}

void tree_free(struct tree *t)
{
	if (!t)
		return;
	free(t->nodes);
	free(t);
}
