/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "profile/profile.h"

#include <stdlib.h>
#include <string.h>

static void reading(struct profile *p, uint64_t time, uint64_t anon, uint64_t file, uint64_t shmem)
{
	const uint64_t bytes[MEM_KINDS] = {anon, file, shmem};
	ledger_add(profile_ledger(p), time, bytes);
}

static void weigh(struct profile *p, uint32_t stack, double anon, double file)
{
	const double weight[MEM_KINDS] = {anon, file, 0};
	profile_add(p, stack, weight);
}

static uint64_t sum(const struct attribution *a)
{
	uint64_t s = 0;
	for (size_t i = 0; i < a->len; i++)
		s += a->bytes[i];
	return s;
}

static void nothing(void **state)
{
	(void)state;
	struct profile *p = profile_new(0);
	struct attribution a = profile_attribute(p, PROFILE_SINCE_START, PROFILE_ALL_KINDS);
	assert_int_equal(a.len, 0);
	assert_int_equal(a.grown + a.unattributed + a.released, 0);
	attribution_free(&a);
	assert_null(a.bytes);
	attribution_free(&a);
	profile_free(p);
	profile_free(NULL);
}

static void shares(void **state)
{
	(void)state;
	struct profile *p = profile_new(0);
	reading(p, 0, 1000, 0, 0);
	reading(p, 1, 2000, 0, 0);
	weigh(p, 0, 6, 0);
	weigh(p, 2, 3, 0);
	weigh(p, 2, 1, 0); /* stack 1 has none */
	struct attribution a = profile_attribute(p, PROFILE_SINCE_START, PROFILE_ALL_KINDS);
	assert_int_equal(a.len, 3);
	assert_int_equal(a.bytes[0], 600);
	assert_int_equal(a.bytes[1], 0);
	assert_int_equal(a.bytes[2], 400);
	assert_int_equal(a.grown, 1000);
	assert_int_equal(a.unattributed, 0);
	attribution_free(&a);
	profile_free(p);
}

static void missed_is_unattributed(void **state)
{
	(void)state;
	static const double missed[MEM_KINDS] = {30, 0, 0};
	struct profile *p = profile_new(0);
	reading(p, 0, 0, 0, 0);
	reading(p, 1, 1000, 0, 0);
	reading(p, 2, 900, 0, 0);
	weigh(p, 0, 70, 0);
	profile_miss(p, missed);
	struct attribution a = profile_attribute(p, PROFILE_SINCE_START, PROFILE_ALL_KINDS);
	assert_in_range(a.bytes[0], 699, 700);
	assert_in_range(a.unattributed, 300, 301);
	assert_int_equal(a.grown + a.unattributed, 1000);
	assert_int_equal(a.released, 100);
	attribution_free(&a);
	profile_free(p);
}

static void kinds_are_apart(void **state)
{
	(void)state;
	struct profile *p = profile_new(0);
	reading(p, 0, 0, 0, 0);
	reading(p, 1, 1000, 500, 70);
	reading(p, 2, 1000, 400, 70);
	weigh(p, 0, 1, 0);
	weigh(p, 1, 0, 1);
	static const uint64_t expected[8][4] = {
	        /* stack 0, stack 1, unattributed, released; by mask */
	        {0, 0, 0, 0},  {1000, 0, 0, 0},  {0, 500, 0, 100},  {1000, 500, 0, 100},
	        {0, 0, 70, 0}, {1000, 0, 70, 0}, {0, 500, 70, 100}, {1000, 500, 70, 100},
	};
	for (unsigned mask = 0; mask < 8; mask++) {
		struct attribution a = profile_attribute(p, PROFILE_SINCE_START, mask);
		const uint64_t got[4] = {a.bytes[0], a.bytes[1], a.unattributed, a.released};
		assert_memory_equal(got, expected[mask], sizeof got);
		assert_int_equal(a.grown, got[0] + got[1]);
		attribution_free(&a);
	}
	profile_free(p);
}

static void growth_without_samples(void **state)
{
	(void)state;
	struct profile *p = profile_new(0);
	reading(p, 0, 0, 0, 0);
	reading(p, 1, 12345, 0, 0);
	weigh(p, 3, 0, 0); /* a sample that weighs nothing explains nothing */
	struct attribution a = profile_attribute(p, PROFILE_SINCE_START, PROFILE_ALL_KINDS);
	assert_int_equal(a.len, 4);
	assert_int_equal(sum(&a), 0);
	assert_int_equal(a.unattributed, 12345);
	attribution_free(&a);
	profile_free(p);
}

static void samples_without_growth(void **state)
{
	(void)state;
	struct profile *p = profile_new(0);
	weigh(p, 0, 1e9, 0);
	struct attribution a = profile_attribute(p, PROFILE_SINCE_START, PROFILE_ALL_KINDS);
	assert_int_equal(sum(&a), 0);
	attribution_free(&a);
	reading(p, 0, 500, 0, 0);
	reading(p, 1, 100, 0, 0);
	a = profile_attribute(p, PROFILE_SINCE_START, PROFILE_ALL_KINDS);
	assert_int_equal(sum(&a) + a.grown + a.unattributed, 0);
	assert_int_equal(a.released, 400);
	attribution_free(&a);
	profile_free(p);
}

static void since_mark(void **state)
{
	(void)state;
	static const double missed[MEM_KINDS] = {1, 1, 1};
	struct profile *p = profile_new(0);
	reading(p, 0, 0, 0, 0);
	reading(p, 1, 1000, 0, 0);
	reading(p, 2, 800, 0, 0);
	weigh(p, 0, 5, 0);
	profile_miss(p, missed);
	profile_mark(p);
	struct attribution a = profile_attribute(p, PROFILE_SINCE_MARK, PROFILE_ALL_KINDS);
	assert_int_equal(sum(&a) + a.unattributed + a.released, 0);
	attribution_free(&a);
	reading(p, 3, 1100, 0, 0);
	weigh(p, 1, 2, 0);
	a = profile_attribute(p, PROFILE_SINCE_MARK, PROFILE_ALL_KINDS);
	assert_int_equal(a.bytes[0], 0);
	assert_int_equal(a.bytes[1], 300);
	assert_int_equal(a.unattributed, 0);
	assert_int_equal(a.released, 0);
	attribution_free(&a);
	a = profile_attribute(p, PROFILE_SINCE_START, PROFILE_ALL_KINDS);
	assert_int_equal(a.grown + a.unattributed, 1300);
	assert_int_equal(a.released, 200);
	assert_true(a.bytes[0] > a.bytes[1] && a.bytes[1] > 0);
	attribution_free(&a);
	profile_free(p);
}

/* To the byte: grown over stacks + unattributed - released = RSS now - RSS at the start, for every
 * kind, whatever the weights; and the parts follow the weights. */
static void conservation(void **state)
{
	(void)state;
	struct rng r = rng_seeded(17);
	for (int round = 0; round < 400; round++) {
		struct profile *p = profile_new(rng_next(&r) % 3 ? 0 : rng_next(&r) % 100000);
		size_t stacks = rng_next(&r) % 60;
		unsigned scale = (unsigned)(rng_next(&r) % 50),
		         shift = 4 + (unsigned)(rng_next(&r) % 56);
		uint64_t first[MEM_KINDS] = {0}, marked[MEM_KINDS] = {0}, last[MEM_KINDS];
		uint64_t readings = 2 + rng_next(&r) % 30, mark = rng_next(&r) % readings;
		for (uint64_t i = 0; i < readings; i++) {
			for (int k = 0; k < MEM_KINDS; k++)
				last[k] = rng_next(&r) >> shift;
			ledger_add(profile_ledger(p), i, last);
			if (i == 0)
				memcpy(first, last, sizeof first);
			double weight[MEM_KINDS];
			for (int k = 0; k < MEM_KINDS; k++)
				weight[k] =
				        rng_next(&r) % 4
				                ? rng_uniform(&r) * (double)(UINT64_C(1) << scale)
				                : 0;
			if (stacks > 0 && rng_next(&r) % 5)
				profile_add(p, (uint32_t)(rng_next(&r) % stacks), weight);
			else
				profile_miss(p, weight);
			if (i == mark) {
				profile_mark(p);
				memcpy(marked, last, sizeof marked);
			}
		}
		for (unsigned mask = 1; mask <= PROFILE_ALL_KINDS; mask++) {
			uint64_t from_start = 0, from_mark = 0;
			for (int k = 0; k < MEM_KINDS; k++)
				if (mask >> k & 1) {
					from_start += last[k] - first[k];
					from_mark += last[k] - marked[k];
				}
			struct attribution a = profile_attribute(p, PROFILE_SINCE_START, mask);
			assert_int_equal(sum(&a), a.grown);
			assert_int_equal(a.grown + a.unattributed - a.released, from_start);
			attribution_free(&a);
			a = profile_attribute(p, PROFILE_SINCE_MARK, mask);
			assert_int_equal(sum(&a), a.grown);
			assert_int_equal(a.grown + a.unattributed - a.released, from_mark);
			attribution_free(&a);
		}
		profile_free(p);
	}
}

/* Every part is what its weight says, to the byte that rounding needs. */
static void parts_follow_weights(void **state)
{
	(void)state;
	struct rng r = rng_seeded(18);
	for (int round = 0; round < 300; round++) {
		struct profile *p = profile_new(0);
		double weights[50] = {0}, all = 0;
		uint64_t grown = rng_next(&r) >> (14 + rng_next(&r) % 40);
		reading(p, 0, 0, 0, 0);
		reading(p, 1, grown, 0, 0);
		for (uint32_t i = 0; i < 50; i++) {
			weights[i] = rng_next(&r) % 3 ? rng_uniform(&r) * 1e6 : 0;
			weigh(p, i, weights[i], 0);
			all += weights[i];
		}
		struct attribution a = profile_attribute(p, PROFILE_SINCE_START, 1U << MEM_ANON);
		for (uint32_t i = 0; i < 50; i++) {
			double off = (double)a.bytes[i] - weights[i] / all * (double)grown;
			assert_true(off < 2 + (double)grown * 1e-12 &&
			            off > -2 - (double)grown * 1e-12);
			if (weights[i] <= 0)
				assert_int_equal(a.bytes[i], 0);
		}
		attribution_free(&a);
		profile_free(p);
	}
}

/* Numbers beyond what a double holds exactly, and weights that differ beyond all measure. */
static void extremes(void **state)
{
	(void)state;
	static const uint64_t sizes[] = {
	        1, 2, 3, (UINT64_C(1) << 53) + 1, UINT64_MAX / 2, UINT64_MAX - 1, UINT64_MAX};
	static const double weights[][3] = {
	        {1, 1, 1},           {1e-300, 1, 1e300}, {1e300, 1e-300, 1e-300},
	        {5e-324, 5e-324, 0}, {1e308, 0, 0},      {0.1, 0.2, 0.3},
	        {0, 0, 1e-5},
	};
	for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
		for (size_t w = 0; w < sizeof weights / sizeof weights[0]; w++)
			for (int miss = 0; miss < 2; miss++) {
				static const double missed[MEM_KINDS] = {1, 0, 0};
				struct profile *p = profile_new(0);
				reading(p, 0, 0, 0, 0);
				reading(p, 1, sizes[s], 0, 0);
				for (uint32_t i = 0; i < 3; i++)
					weigh(p, i, weights[w][i], 0);
				if (miss)
					profile_miss(p, missed);
				struct attribution a = profile_attribute(p, PROFILE_SINCE_START,
				                                         PROFILE_ALL_KINDS);
				assert_int_equal(sum(&a), a.grown);
				assert_int_equal(a.grown + a.unattributed, sizes[s]);
				if (!miss)
					assert_int_equal(a.unattributed, 0);
				for (uint32_t i = 0; i < 3; i++)
					if (weights[w][i] <= 0)
						assert_int_equal(a.bytes[i], 0);
				attribution_free(&a);
				profile_free(p);
			}
}

static void noise_is_settled(void **state)
{
	(void)state;
	struct profile *p = profile_new(1000);
	reading(p, 0, 5000, 0, 0);
	reading(p, 1, 5500, 0, 0);
	weigh(p, 0, 1, 0);
	struct attribution a = profile_attribute(p, PROFILE_SINCE_START, PROFILE_ALL_KINDS);
	assert_int_equal(a.bytes[0], 500);
	attribution_free(&a);
	profile_mark(p);
	reading(p, 2, 5400, 0, 0);
	a = profile_attribute(p, PROFILE_SINCE_MARK, PROFILE_ALL_KINDS);
	assert_int_equal(a.released, 100);
	assert_int_equal(a.grown + a.unattributed, 0);
	attribution_free(&a);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(nothing),
	        cmocka_unit_test(shares),
	        cmocka_unit_test(missed_is_unattributed),
	        cmocka_unit_test(kinds_are_apart),
	        cmocka_unit_test(growth_without_samples),
	        cmocka_unit_test(samples_without_growth),
	        cmocka_unit_test(since_mark),
	        cmocka_unit_test(conservation),
	        cmocka_unit_test(parts_follow_weights),
	        cmocka_unit_test(extremes),
	        cmocka_unit_test(noise_is_settled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
