/* SPDX-License-Identifier: MIT */
#include "profile/stacks.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

struct frame_entry {
	struct frame frame;
	uint32_t next; /* of the same hash */
};

struct stack_entry {
	size_t at, n; /* in the pool */
	uint32_t next;
};

struct stack_table {
	struct frame_entry *frames;
	size_t frames_len, frames_cap;
	struct stack_entry *stacks;
	size_t stacks_len, stacks_cap;
	uint32_t *pool;
	size_t pool_len, pool_cap;
	struct hash *frame_index, *stack_index; /* hash -> the newest entry with it */
};

struct stack_table *stack_table_new(void)
{
	struct stack_table *t = mem_alloc(sizeof *t);
	t->frame_index = hash_new();
	t->stack_index = hash_new();
	return t;
}

void stack_table_free(struct stack_table *t)
{
	if (!t)
		return;
	free(t->frames);
	free(t->stacks);
	free(t->pool);
	hash_free(t->frame_index);
	hash_free(t->stack_index);
	free(t);
}

static bool same_frame(const struct frame *a, const struct frame *b)
{
	return a->function == b->function && a->module == b->module && a->file == b->file &&
	       a->line == b->line && a->inlined == b->inlined && a->named == b->named;
}

static uint64_t frame_hash(const struct frame *f)
{
	const uint64_t parts[] = {(uintptr_t)f->function, (uintptr_t)f->module, (uintptr_t)f->file,
	                          (uint64_t)f->line << 2 | (uint64_t)f->inlined << 1 | f->named};
	return hash_bytes(parts, sizeof parts, 1);
}

uint32_t stack_table_frame(struct stack_table *t, const struct frame *f)
{
	uint64_t key = frame_hash(f);
	const uint64_t *found = hash_get(t->frame_index, key);
	uint32_t first = found ? (uint32_t)*found : NONE;
	for (uint32_t i = first; i != NONE; i = t->frames[i].next)
		if (same_frame(&t->frames[i].frame, f))
			return i;
	MEM_GROW(t->frames, t->frames_len, t->frames_cap);
	uint32_t id = (uint32_t)t->frames_len++;
	t->frames[id] = (struct frame_entry){.frame = *f, .next = first};
	hash_put(t->frame_index, key, id);
	return id;
}

const struct frame *stack_table_get_frame(const struct stack_table *t, uint32_t frame)
{
	return &t->frames[frame].frame;
}

size_t stack_table_frames(const struct stack_table *t)
{
	return t->frames_len;
}

uint32_t stack_table_stack(struct stack_table *t, const uint32_t *frames, size_t n)
{
	uint64_t key = hash_bytes(frames, n * sizeof *frames, 2);
	const uint64_t *found = hash_get(t->stack_index, key);
	uint32_t first = found ? (uint32_t)*found : NONE;
	for (uint32_t i = first; i != NONE; i = t->stacks[i].next)
		if (t->stacks[i].n == n &&
		    (n == 0 || memcmp(t->pool + t->stacks[i].at, frames, n * sizeof *frames) == 0))
			return i;
	if (t->pool_len + n > t->pool_cap) {
		t->pool_cap = (t->pool_len + n) * 2;
		t->pool = mem_resize(t->pool, t->pool_cap, sizeof *t->pool);
	}
	if (n > 0)
		memcpy(t->pool + t->pool_len, frames, n * sizeof *frames);
	MEM_GROW(t->stacks, t->stacks_len, t->stacks_cap);
	uint32_t id = (uint32_t)t->stacks_len++;
	t->stacks[id] = (struct stack_entry){.at = t->pool_len, .n = n, .next = first};
	t->pool_len += n;
	hash_put(t->stack_index, key, id);
	return id;
}

const uint32_t *stack_table_get_stack(const struct stack_table *t, uint32_t stack, size_t *n)
{
	*n = t->stacks[stack].n;
	return t->pool + t->stacks[stack].at;
}

size_t stack_table_stacks(const struct stack_table *t)
{
	return t->stacks_len;
}
