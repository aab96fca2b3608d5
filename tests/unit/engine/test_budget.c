/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/rng.h"
#include "engine/budget.h"

#include <math.h>

static void starts_full(void **state)
{
	(void)state;
	struct budget b = budget_new(0.01, 1000);
	assert_true(budget_allows(&b, 1000));
	budget_spend(&b, 9999999); /* a second's worth is 10 ms */
	assert_true(budget_allows(&b, 1000));
	budget_spend(&b, 2);
	assert_false(budget_allows(&b, 1000));
}

static void fills_with_time(void **state)
{
	(void)state;
	struct budget b = budget_new(0.01, 0);
	budget_spend(&b, 10 * NS_PER_MS);
	assert_false(budget_allows(&b, 0));
	assert_true(budget_allows(&b, NS_PER_MS));
	budget_spend(&b, 10 * NS_PER_US);
	assert_false(budget_allows(&b, NS_PER_MS));
}

static void overdraft_is_paid_back(void **state)
{
	(void)state;
	struct budget b = budget_new(0.01, 0);
	budget_spend(&b, 30 * NS_PER_MS); /* 20 ms too much: two seconds of waiting */
	assert_false(budget_allows(&b, NS_PER_S));
	assert_false(budget_allows(&b, 2 * NS_PER_S - NS_PER_MS));
	assert_true(budget_allows(&b, 2 * NS_PER_S + NS_PER_MS));
}

static void never_above_a_second(void **state)
{
	(void)state;
	struct budget b = budget_new(0.05, 0);
	assert_true(budget_allows(&b, 3600 * NS_PER_S));
	budget_spend(&b, 51 * NS_PER_MS);
	assert_false(budget_allows(&b, 3600 * NS_PER_S));
}

static void edges(void **state)
{
	(void)state;
	struct budget none = budget_new(0, 0);
	assert_false(budget_allows(&none, 0));
	assert_false(budget_allows(&none, UINT64_C(1) << 60));
	struct budget all = budget_new(1, 0);
	for (uint64_t t = 0; t < 100; t++) {
		assert_true(budget_allows(&all, t * NS_PER_S));
		budget_spend(&all, NS_PER_S - 1);
	}
	struct budget late = budget_new(0.5, UINT64_MAX - NS_PER_S);
	budget_spend(&late, NS_PER_S - NS_PER_MS);
	assert_false(budget_allows(&late, UINT64_MAX - NS_PER_S));
	assert_true(budget_allows(&late, UINT64_MAX));
}

/* Greedy stops of any length: over a long time the share is what was asked for. */
static void share_is_kept(void **state)
{
	(void)state;
	static const double shares[] = {0.0001, 0.01, 0.1, 1};
	struct rng r = rng_seeded(12);
	for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
		struct budget b = budget_new(shares[i], 0);
		uint64_t now = 0;
		double spent = 0, largest = 0;
		for (int k = 0; k < 200000; k++) {
			now += rng_next(&r) % (2 * NS_PER_MS);
			if (!budget_allows(&b, now))
				continue;
			uint64_t stop = rng_next(&r) % (20 * NS_PER_MS);
			budget_spend(&b, stop);
			spent += (double)stop;
			largest = fmax(largest, (double)stop);
		}
		double allowed = shares[i] * ((double)now + (double)NS_PER_S);
		assert_true(spent <= allowed + largest);
		assert_true(spent >= allowed * 0.9 - shares[i] * (double)NS_PER_S);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(starts_full),
	        cmocka_unit_test(fills_with_time),
	        cmocka_unit_test(overdraft_is_paid_back),
	        cmocka_unit_test(never_above_a_second),
	        cmocka_unit_test(edges),
	        cmocka_unit_test(share_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
