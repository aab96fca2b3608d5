/* SPDX-License-Identifier: MIT */
#include "module/group.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct grouping {
	const struct maps *maps;
	struct groups *out;
	size_t cap;
	bool open; /* the last group may still grow */
	bool exec; /* it has executable memory */
};

static bool is_file(const struct mapping *m)
{
	return m->inode != 0 && m->name[0] == '/';
}

static bool same_file(const struct mapping *a, const struct mapping *b)
{
	return a->inode == b->inode && a->dev == b->dev && strcmp(a->name, b->name) == 0;
}

/* A group without executable memory is data, not a module: take it back. */
static void close_group(struct grouping *g)
{
	if (!g->open)
		return;
	g->open = false;
	if (g->exec)
		return;
	struct group *last = &g->out->list[--g->out->len];
	for (size_t i = last->first; i <= last->last; i++)
		if (g->out->of_mapping[i] == g->out->len)
			g->out->of_mapping[i] = GROUP_NONE;
}

static void add_to_last(struct grouping *g, size_t i)
{
	struct group *last = &g->out->list[g->out->len - 1];
	last->last = i;
	last->end = g->maps->list[i].end;
	g->exec = g->exec || g->maps->list[i].exec;
	g->out->of_mapping[i] = (uint32_t)(g->out->len - 1);
}

static void open_group(struct grouping *g, size_t i)
{
	close_group(g);
	MEM_GROW(g->out->list, g->out->len, g->cap);
	g->out->list[g->out->len++] = (struct group){.first = i};
	g->open = true;
	g->exec = false;
	add_to_last(g, i);
}

/* Text that a program moved to huge pages by itself is anonymous, between two mappings of its file
 * with no hole. */
static bool is_moved_text(const struct grouping *g, size_t i)
{
	const struct mapping *m = &g->maps->list[i], *end = g->maps->list + g->maps->len;
	const struct group *last = &g->out->list[g->out->len - 1];
	return m->exec && m->inode == 0 && m->name[0] == '\0' && m->start == last->end &&
	       m + 1 < end && m[1].start == m->end && is_file(m + 1) &&
	       same_file(m + 1, &g->maps->list[last->first]) &&
	       m[1].offset > g->maps->list[last->last].offset;
}

static bool continues(const struct grouping *g, size_t i)
{
	const struct mapping *m = &g->maps->list[i];
	const struct group *last = &g->out->list[g->out->len - 1];
	const struct mapping *first = &g->maps->list[last->first];
	size_t j = last->last; /* the last mapping of the file itself */
	while (j > last->first && !is_file(&g->maps->list[j]))
		j--;
	return same_file(m, first) && m->offset != 0 && m->offset >= g->maps->list[j].offset;
}

static void take(struct grouping *g, size_t i)
{
	const struct mapping *m = &g->maps->list[i];
	if (is_file(m)) {
		if (g->open && continues(g, i))
			add_to_last(g, i);
		else
			open_group(g, i);
	} else if (m->inode == 0 && strcmp(m->name, "[vdso]") == 0) {
		open_group(g, i);
		close_group(g);
	} else if (g->open && is_moved_text(g, i)) {
		add_to_last(g, i);
	}
}

void groups_make(const struct maps *maps, struct groups *out)
{
	*out = (struct groups){.of_mapping = mem_alloc(maps->len * sizeof *out->of_mapping)};
	memset(out->of_mapping, 0xff, maps->len * sizeof *out->of_mapping);
	struct grouping g = {.maps = maps, .out = out};
	for (size_t i = 0; i < maps->len; i++)
		take(&g, i);
	close_group(&g);
}

void groups_clear(struct groups *g)
{
	free(g->list);
	free(g->of_mapping);
	*g = (struct groups){0};
}
