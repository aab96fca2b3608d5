/* SPDX-License-Identifier: MIT */
#include "unwind/walk.h"

#include "proc/maps.h"

void walk_begin(struct walk *w, const struct modules *m, struct memory *mem, struct chain *c,
                const struct sample *s)
{
	*w = (struct walk){.modules = m, .memory = mem, .chain = c};
	memory_begin(mem, s);
	c->len = 0;
	c->end = CHAIN_STUCK;
	walk_add(w, (struct chain_frame){s->regs[SAMPLE_REG_PC], true}, s->regs[SAMPLE_REG_SP],
	         false);
}

static bool is_text(struct walk *w, uint64_t addr)
{
	if (!w->text || addr < w->text->start || addr >= w->text->end)
		w->text = modules_mapping(w->modules, addr);
	return w->text && w->text->exec;
}

bool walk_add(struct walk *w, struct chain_frame f, uint64_t sp, bool interrupted)
{
	struct chain *c = w->chain;
	if (c->len == c->cap) {
		c->end = CHAIN_MAX;
		return false;
	}
	/* The caller of a function has its frame above it. Else it's garbage, or a cycle. */
	if (c->len > 0 &&
	    ((!interrupted && sp <= w->sp) || !is_text(w, f.exact ? f.pc : f.pc - 1))) {
		c->end = CHAIN_STUCK;
		return false;
	}
	c->frames[c->len++] = f;
	w->sp = sp;
	return true;
}

void walk_fail(struct walk *w)
{
	w->chain->end = w->memory->failed_stack ? CHAIN_NO_MEMORY : CHAIN_STUCK;
}

void walk_end(struct walk *w)
{
	w->chain->live = w->memory->live;
	w->chain->stack_wanted = memory_stack_wanted(w->memory);
}
