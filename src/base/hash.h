/* SPDX-License-Identifier: MIT */
/* A hash map from 64-bit keys to 64-bit values, and a hash for byte strings. */
#ifndef MEMTOP_BASE_HASH_H
#define MEMTOP_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash;

struct hash *hash_new(void);
void hash_free(struct hash *h); /* NULL-safe */
void hash_clear(struct hash *h);
size_t hash_count(const struct hash *h);

/* The value of key, or NULL. The pointer is valid until the next hash_put or hash_clear. */
uint64_t *hash_get(const struct hash *h, uint64_t key);

/* Sets key to value and returns where it is stored. */
uint64_t *hash_put(struct hash *h, uint64_t key, uint64_t value);

/* Not cryptographic; seed with an earlier result to chain. */
uint64_t hash_bytes(const void *data, size_t len, uint64_t seed);

#endif
