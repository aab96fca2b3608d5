/* SPDX-License-Identifier: MIT */
#include "unwind/unwind.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct chain *chain_new(size_t max_frames)
{
	struct chain *c = mem_alloc(sizeof *c);
	c->cap = max_frames > 0 ? max_frames : 1; /* there is always a leaf */
	c->frames = mem_resize(NULL, c->cap, sizeof *c->frames);
	return c;
}

void chain_free(struct chain *c)
{
	if (!c)
		return;
	free(c->frames);
	free(c);
}

const struct unwinder_ops *unwinder_by_name(const char *name)
{
	static const struct unwinder_ops *const all[] = {&unwinder_libdw, &unwinder_libunwind};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}
