/* SPDX-License-Identifier: MIT */
#include "base/intern.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	struct entry *next; /* of the same hash */
	char text[];
};

struct intern {
	struct hash *entries; /* hash of the text -> struct entry * */
	struct entry **all;
	size_t len, cap;
};

struct intern *intern_new(void)
{
	struct intern *t = mem_alloc(sizeof *t);
	t->entries = hash_new();
	return t;
}

void intern_free(struct intern *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->len; i++)
		free(t->all[i]);
	free(t->all);
	hash_free(t->entries);
	free(t);
}

const char *intern_str(struct intern *t, const char *s)
{
	if (!s)
		return NULL;
	size_t n = strlen(s);
	uint64_t key = hash_bytes(s, n, 0);
	uint64_t *found = hash_get(t->entries, key);
	struct entry *first = found ? (struct entry *)(uintptr_t)*found : NULL;
	for (struct entry *e = first; e; e = e->next)
		if (strcmp(e->text, s) == 0)
			return e->text;
	struct entry *e = mem_alloc(sizeof *e + n + 1);
	memcpy(e->text, s, n + 1);
	e->next = first;
	hash_put(t->entries, key, (uint64_t)(uintptr_t)e);
	MEM_GROW(t->all, t->len, t->cap);
	t->all[t->len++] = e;
	return e->text;
}
