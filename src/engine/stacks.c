/* SPDX-License-Identifier: MIT */
#include "engine/stacks.h"

#include "base/clock.h"
#include "base/mem.h"
#include "proc/maps.h"

#include <stdlib.h>
#include <string.h>

#define MAIN_STACK_MAX                                                                             \
	(UINT64_C(64) << 20) /* how far below its mapping [stack] may have grown since */

struct range {
	uint64_t start, end;
};

struct stacks {
	const struct process *process;
	struct range *list;
	size_t len;
	bool stale;
	uint64_t next_ns; /* when it may be read again */
};

static void load(struct stacks *s)
{
	uint64_t begin = clock_ns();
	size_t len;
	char *text = process_slurp(s->process, "maps", &len);
	if (!text)
		return;
	struct maps *m = maps_parse(text, len);
	free(text);
	s->list = mem_resize(s->list, m->len, sizeof *s->list);
	s->len = 0;
	for (size_t i = 0; i < m->len; i++) {
		const struct mapping *map = &m->list[i];
		if (!map->write || !map->read)
			continue;
		uint64_t below = strcmp(map->name, "[stack]") == 0 ? MAIN_STACK_MAX : 0;
		uint64_t floor = i > 0 ? m->list[i - 1].end : 0;
		uint64_t start = map->start - floor > below ? map->start - below : floor;
		s->list[s->len++] = (struct range){start, map->end};
	}
	maps_free(m);
	s->stale = false;
	uint64_t now = clock_ns();
	s->next_ns = now + 10 * NS_PER_MS + 100 * (now - begin);
}

struct stacks *stacks_new(const struct process *p)
{
	struct stacks *s = mem_alloc(sizeof *s);
	s->process = p;
	load(s);
	return s;
}

void stacks_free(struct stacks *s)
{
	if (!s)
		return;
	free(s->list);
	free(s);
}

uint64_t stacks_end(void *stacks, uint64_t sp)
{
	struct stacks *s = stacks;
	size_t low = 0, high = s->len;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (sp < s->list[mid].start)
			high = mid;
		else if (sp >= s->list[mid].end)
			low = mid + 1;
		else
			return s->list[mid].end;
	}
	s->stale = true;
	return 0;
}

void stacks_refresh(struct stacks *s)
{
	if (s->stale && clock_ns() >= s->next_ns)
		load(s);
}
