/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"

#include <math.h>

/* The first numbers of splitmix64 from seed 1234567, as its reference gives them. */
static void reference(void **state)
{
	(void)state;
	static const uint64_t expected[] = {
	        UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
	        UINT64_C(9817491932198370423), UINT64_C(4593380528125082431),
	        UINT64_C(16408922859458223821)};
	struct rng r = rng_seeded(1234567);
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
		assert_int_equal(rng_next(&r), expected[i]);
}

static void same_seed_same_numbers(void **state)
{
	(void)state;
	struct rng a = rng_seeded(9), b = rng_seeded(9), c = rng_seeded(10);
	int differ = 0;
	for (int i = 0; i < 100; i++) {
		uint64_t x = rng_next(&a);
		assert_int_equal(x, rng_next(&b));
		differ += x != rng_next(&c);
	}
	assert_int_equal(differ, 100);
}

static void uniform(void **state)
{
	(void)state;
	enum { N = 200000, BINS = 64 };
	static int bins[BINS];
	struct rng r = rng_seeded(0);
	double sum = 0, squares = 0, products = 0, last = 0.5;
	for (int i = 0; i < N; i++) {
		double u = rng_uniform(&r);
		assert_true(u >= 0 && u < 1);
		bins[(int)(u * BINS)]++;
		sum += u;
		squares += u * u;
		products += (u - 0.5) * (last - 0.5);
		last = u;
	}
	double mean = sum / N;
	assert_true(fabs(mean - 0.5) < 0.005);
	assert_true(fabs(squares / N - mean * mean - 1.0 / 12) < 0.002);
	assert_true(fabs(products / N) < 0.002);
	double chi = 0, each = (double)N / BINS;
	for (int i = 0; i < BINS; i++)
		chi += (bins[i] - each) * (bins[i] - each) / each;
	assert_true(chi > 25 && chi < 120); /* 63 degrees of freedom; too even is wrong too */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(reference),
	        cmocka_unit_test(same_seed_same_numbers),
	        cmocka_unit_test(uniform),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
