/* SPDX-License-Identifier: MIT */
#include "unwind/memory.h"

#include "base/mem.h"
#include "proc/maps.h"

#include <stdlib.h>

#define PAGE  4096U
#define SLOTS 16U                 /* a power of two */
#define GUESS (UINT64_C(8) << 20) /* a stack's size, where its mapping is unknown */

struct memory_page {
	uint64_t addr;
	unsigned walk;
	size_t len;
	unsigned char data[PAGE];
};

struct memory *memory_new(const struct modules *m, const struct process *p)
{
	struct memory *mem = mem_alloc(sizeof *mem);
	mem->modules = m;
	mem->process = p;
	mem->pages = mem_alloc(SLOTS * sizeof *mem->pages);
	return mem;
}

void memory_free(struct memory *mem)
{
	if (!mem)
		return;
	free(mem->pages);
	free(mem);
}

void memory_begin(struct memory *mem, const struct sample *s)
{
	mem->sample = s;
	mem->sp = s->regs[SAMPLE_REG_SP];
	mem->stack_end = 0;
	mem->stack_top = mem->sp;
	mem->live = false;
	mem->walk++;
	memory_step(mem);
}

uint64_t memory_stack_wanted(const struct memory *mem)
{
	return mem->stack_top - mem->sp;
}

static uint64_t find_stack_end(const struct memory *mem)
{
	const struct mapping *stack = modules_mapping(mem->modules, mem->sp);
	if (stack)
		return stack->end;
	return mem->sp > UINT64_MAX - GUESS ? UINT64_MAX : mem->sp + GUESS;
}

static bool is_stack(struct memory *mem, uint64_t addr)
{
	if (!mem->stack_end)
		mem->stack_end = find_stack_end(mem);
	return addr >= mem->sp && addr < mem->stack_end && mem->stack_end - addr >= 8;
}

static const struct memory_page *live_page(struct memory *mem, uint64_t addr)
{
	struct memory_page *page = &mem->pages[(addr / PAGE) & (SLOTS - 1)];
	if (page->walk == mem->walk && page->addr == addr)
		return page;
	page->walk = mem->walk;
	page->addr = addr;
	page->len = process_read(mem->process, addr, page->data, PAGE);
	return page;
}

static bool live_bytes(struct memory *mem, uint64_t addr, unsigned char *out, size_t len)
{
	while (len > 0) {
		size_t skip = addr % PAGE;
		const struct memory_page *page = live_page(mem, addr - skip);
		if (page->len <= skip)
			return false;
		size_t n = page->len - skip < len ? page->len - skip : len;
		memcpy(out, page->data + skip, n);
		out += n;
		addr += n; /* may wrap to 0: then that page isn't readable */
		len -= n;
	}
	return true;
}

bool memory_far_word(struct memory *mem, uint64_t addr, uint64_t *out)
{
	bool stack = is_stack(mem, addr);
	if (stack && addr + sizeof *out > mem->stack_top)
		mem->stack_top = addr + sizeof *out;
	struct module *mod = stack ? NULL : modules_find(mem->modules, addr);
	if (mod && module_read(mod, addr, out, sizeof *out))
		return true;
	if (live_bytes(mem, addr, (unsigned char *)out, sizeof *out)) {
		/* A module's data is not what a walk hangs on: pointers to personality routines. */
		mem->live = mem->live || !mod;
		return true;
	}
	mem->failed = true;
	mem->failed_stack = mem->failed_stack || stack;
	return false;
}
