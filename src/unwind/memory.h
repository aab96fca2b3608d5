/* SPDX-License-Identifier: MIT */
/* The target's memory as one sample shows it: the stack copy, then the read-only parts of files,
 * then the running target. Private to src/unwind. */
#ifndef MEMTOP_UNWIND_MEMORY_H
#define MEMTOP_UNWIND_MEMORY_H

#include "engine/sample.h"
#include "module/modules.h"
#include "target/process.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct memory_page;

struct memory {
	const struct modules *modules;
	const struct process *process;
	const struct sample *sample;
	uint64_t sp;
	uint64_t stack_end; /* of the mapping that holds sp; 0: not looked up yet */
	uint64_t stack_top; /* the highest end of a stack word that was asked for */
	bool live;          /* the running target was read */
	unsigned walk;      /* tells this walk's pages from older ones */
	struct memory_page *pages;

	/* Of the present step; memory_step resets them. */
	bool failed;       /* something could not be read */
	bool failed_stack; /* and it was stack */
	uint64_t reads;
	uint64_t last; /* the last word read */
};

struct memory *memory_new(const struct modules *m, const struct process *p);
void memory_free(struct memory *mem); /* NULL-safe */

void memory_begin(struct memory *mem, const struct sample *s);

/* As memory_word, where the stack copy doesn't hold addr. */
bool memory_far_word(struct memory *mem, uint64_t addr, uint64_t *out);

static inline void memory_step(struct memory *mem)
{
	mem->failed = mem->failed_stack = false;
	mem->reads = 0;
}

/* Reads eight bytes at any address, whatever it is worth. */
static inline bool memory_word(struct memory *mem, uint64_t addr, uint64_t *out)
{
	uint64_t at = addr - mem->sp;
	size_t len = mem->sample->stack_len;
	if (len < sizeof *out || at > len - sizeof *out) {
		if (!memory_far_word(mem, addr, out))
			return false;
	} else {
		memcpy(out, mem->sample->stack + at, sizeof *out);
		if (addr + sizeof *out > mem->stack_top)
			mem->stack_top = addr + sizeof *out;
	}
	mem->reads++;
	mem->last = *out;
	return true;
}

/* Bytes above the first SP that were asked for. */
uint64_t memory_stack_wanted(const struct memory *mem);

#endif
