/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

#define MANY 20000

static void empty(void **state)
{
	(void)state;
	struct hash *h = hash_new();
	assert_int_equal(hash_count(h), 0);
	assert_null(hash_get(h, 0));
	assert_null(hash_get(h, UINT64_MAX));
	hash_free(h);
	hash_free(NULL);
}

static void edge_keys(void **state)
{
	(void)state;
	static const uint64_t keys[] = {0, 1, UINT64_MAX, UINT64_MAX - 1, UINT64_C(1) << 63};
	const size_t n = sizeof keys / sizeof keys[0];
	struct hash *h = hash_new();
	for (size_t i = 0; i < n; i++) {
		assert_null(hash_get(h, keys[i]));
		assert_int_equal(*hash_put(h, keys[i], ~keys[i]), ~keys[i]);
	}
	assert_int_equal(hash_count(h), n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(*hash_get(h, keys[i]), ~keys[i]);
	hash_free(h);
}

static void put_replaces(void **state)
{
	(void)state;
	struct hash *h = hash_new();
	hash_put(h, 7, 1);
	uint64_t *at = hash_put(h, 7, 2);
	assert_int_equal(hash_count(h), 1);
	assert_ptr_equal(at, hash_get(h, 7));
	*at = 3;
	assert_int_equal(*hash_get(h, 7), 3);
	hash_free(h);
}

/* Against the plainest of models: keys of every kind, put in any order, over several growths. */
static void many(void **state)
{
	(void)state;
	uint64_t *keys = calloc(MANY, sizeof *keys);
	assert_non_null(keys);
	struct rng r = rng_seeded(1);
	struct hash *h = hash_new();
	for (size_t i = 0; i < MANY; i++) {
		keys[i] = i % 3 == 0   ? i
		          : i % 3 == 1 ? (uint64_t)i << 40
		                       : rng_next(&r) | UINT64_C(1) << 63;
		hash_put(h, keys[i], i + 1);
		assert_int_equal(hash_count(h), i + 1);
	}
	for (size_t i = 0; i < MANY; i++) {
		const uint64_t *v = hash_get(h, keys[i]);
		assert_non_null(v);
		assert_int_equal(*v, i + 1);
	}
	for (uint64_t k = 1; k < 1000; k++)
		assert_null(hash_get(h, (k << 30) + 2));
	hash_clear(h);
	assert_int_equal(hash_count(h), 0);
	for (size_t i = 0; i < MANY; i++)
		assert_null(hash_get(h, keys[i]));
	hash_put(h, keys[5], 9);
	assert_int_equal(hash_count(h), 1);
	assert_int_equal(*hash_get(h, keys[5]), 9);
	hash_free(h);
	free(keys);
}

static void bytes_tell_apart(void **state)
{
	(void)state;
	static const unsigned char zeros[64];
	struct hash *seen = hash_new();
	size_t n = 0;
	for (size_t len = 0; len <= sizeof zeros; len++)
		for (uint64_t seed = 0; seed < 4; seed++, n++)
			hash_put(seen, hash_bytes(zeros, len, seed), 1);
	assert_int_equal(hash_count(seen), n); /* lengths and seeds differ, though all is zero */
	hash_free(seen);
}

static void bytes_see_each_bit(void **state)
{
	(void)state;
	unsigned char data[32];
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 37);
	for (size_t len = 1; len <= sizeof data; len++) {
		uint64_t whole = hash_bytes(data, len, 5);
		assert_int_equal(hash_bytes(data, len, 5), whole);
		for (size_t bit = 0; bit < len * 8; bit++) {
			data[bit / 8] ^= (unsigned char)(1U << bit % 8);
			assert_int_not_equal(hash_bytes(data, len, 5), whole);
			data[bit / 8] ^= (unsigned char)(1U << bit % 8);
		}
	}
}

static void bytes_at_any_address(void **state)
{
	(void)state;
	char buf[64];
	for (size_t at = 0; at < 16; at++) {
		memcpy(buf + at, "the same text at any address", 28);
		assert_int_equal(hash_bytes(buf + at, 28, 0),
		                 hash_bytes("the same text at any address", 28, 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(empty),
	        cmocka_unit_test(edge_keys),
	        cmocka_unit_test(put_replaces),
	        cmocka_unit_test(many),
	        cmocka_unit_test(bytes_tell_apart),
	        cmocka_unit_test(bytes_see_each_bit),
	        cmocka_unit_test(bytes_at_any_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
