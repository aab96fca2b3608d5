/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/histogram.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct histogram));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void empty(void **state)
{
	const struct histogram *h = *state;
	assert_int_equal(histogram_quantile(h, 0), 0);
	assert_int_equal(histogram_quantile(h, 0.5), 0);
	assert_int_equal(histogram_quantile(h, 1), 0);
}

static void small_values_are_exact(void **state)
{
	struct histogram *h = *state;
	for (uint64_t v = 0; v < 100; v++)
		histogram_add(h, v % 20);
	assert_int_equal(h->count, 100);
	assert_int_equal(h->sum, 5 * 190);
	assert_int_equal(h->max, 19);
	for (unsigned v = 0; v < 20; v++)
		assert_int_equal(histogram_quantile(h, (v + 0.5) / 20), v);
}

/* One value of any size comes back within 4 %. */
static void close_to_one_value(void **state)
{
	(void)state;
	struct rng r = rng_seeded(2);
	struct histogram *h = calloc(1, sizeof *h);
	assert_non_null(h);
	for (int i = 0; i < 3000; i++) {
		uint64_t v = i < 64 ? UINT64_C(1) << i : rng_next(&r) >> (rng_next(&r) % 64);
		*h = (struct histogram){0};
		histogram_add(h, v);
		histogram_add(h, UINT64_MAX);
		double got = (double)histogram_quantile(h, 0);
		assert_true(fabs(got - (double)v) <= 0.04 * (double)v);
		assert_int_equal(h->max, UINT64_MAX);
		assert_int_equal(histogram_quantile(h, 1), UINT64_MAX);
	}
	free(h);
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

static void quantiles_of_many(void **state)
{
	enum { N = 10001 };
	static uint64_t all[N];
	struct histogram *h = *state;
	struct rng r = rng_seeded(3);
	for (int i = 0; i < N; i++) {
		all[i] = (uint64_t)exp(rng_uniform(&r) * 25);
		histogram_add(h, all[i]);
	}
	qsort(all, N, sizeof *all, by_size);
	uint64_t last = 0;
	for (int i = 0; i <= 1000; i++) {
		double q = i / 1000.0;
		uint64_t got = histogram_quantile(h, q);
		double truth = (double)all[i == 1000 ? N - 1 : (int)(q * N)];
		assert_true(got >= last);
		assert_true(got <= h->max);
		assert_true(fabs((double)got - truth) <= 0.04 * truth + 0.5);
		last = got;
	}
}

static void never_above_the_largest(void **state)
{
	struct histogram *h = *state;
	histogram_add(h, 1 << 20); /* the middle of its bucket lies above it */
	assert_int_equal(histogram_quantile(h, 0.99), 1 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(empty, setup, teardown),
	        cmocka_unit_test_setup_teardown(small_values_are_exact, setup, teardown),
	        cmocka_unit_test(close_to_one_value),
	        cmocka_unit_test_setup_teardown(quantiles_of_many, setup, teardown),
	        cmocka_unit_test_setup_teardown(never_above_the_largest, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
