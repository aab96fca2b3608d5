/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct slot {
	uint64_t key;
	uint64_t value;
	bool used;
};

struct hash {
	struct slot *slots;
	size_t cap; /* a power of two */
	size_t count;
};

static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

uint64_t hash_bytes(const void *data, size_t len, uint64_t seed)
{
	const unsigned char *p = data;
	uint64_t h = mix(seed + UINT64_C(0x9e3779b97f4a7c15)) ^ len;
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t w;
		memcpy(&w, p, 8);
		h = mix(h ^ w) + UINT64_C(0x9e3779b97f4a7c15);
	}
	uint64_t tail = 0;
	memcpy(&tail, p, len);
	return mix(h ^ tail);
}

struct hash *hash_new(void)
{
	struct hash *h = mem_alloc(sizeof *h);
	h->cap = 64;
	h->slots = mem_alloc(h->cap * sizeof *h->slots);
	return h;
}

void hash_free(struct hash *h)
{
	if (!h)
		return;
	free(h->slots);
	free(h);
}

void hash_clear(struct hash *h)
{
	memset(h->slots, 0, h->cap * sizeof *h->slots);
	h->count = 0;
}

size_t hash_count(const struct hash *h)
{
	return h->count;
}

static struct slot *find(const struct hash *h, uint64_t key)
{
	size_t i = mix(key) & (h->cap - 1);
	while (h->slots[i].used && h->slots[i].key != key)
		i = (i + 1) & (h->cap - 1);
	return &h->slots[i];
}

uint64_t *hash_get(const struct hash *h, uint64_t key)
{
	struct slot *s = find(h, key);
	return s->used ? &s->value : NULL;
}

static void grow(struct hash *h)
{
	struct slot *old = h->slots;
	size_t old_cap = h->cap;
	h->cap *= 2;
	h->slots = mem_alloc(h->cap * sizeof *h->slots);
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].used)
			*find(h, old[i].key) = old[i];
	free(old);
}

uint64_t *hash_put(struct hash *h, uint64_t key, uint64_t value)
{
	if (h->count * 4 >= h->cap * 3)
		grow(h);
	struct slot *s = find(h, key);
	if (!s->used)
		h->count++;
	*s = (struct slot){.key = key, .value = value, .used = true};
	return &s->value;
}
