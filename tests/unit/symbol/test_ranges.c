/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "symbol/ranges.h"

#define NONE SIZE_MAX

static size_t find(const struct ranges *r, uint64_t addr)
{
	const struct range *found = ranges_find(r, addr);
	return found ? found->value : NONE;
}

static void nested(void **state)
{
	(void)state;
	struct ranges r = {0};
	ranges_add(&r, 50, 60, 2);
	ranges_add(&r, 0, 100, 0);
	ranges_add(&r, 10, 30, 1);
	ranges_add(&r, 52, 54, 3);
	ranges_add(&r, 200, 300, 4);
	ranges_sort(&r);
	assert_int_equal(find(&r, 0), 0);
	assert_int_equal(find(&r, 10), 1);
	assert_int_equal(find(&r, 29), 1);
	assert_int_equal(find(&r, 30), 0);
	assert_int_equal(find(&r, 52), 3);
	assert_int_equal(find(&r, 54), 2);
	assert_int_equal(find(&r, 60), 0);
	assert_int_equal(find(&r, 99), 0);
	assert_int_equal(find(&r, 100), NONE);
	assert_int_equal(find(&r, 199), NONE);
	assert_int_equal(find(&r, 299), 4);
	assert_int_equal(find(&r, 300), NONE);
	ranges_clear(&r);
}

static void equal_and_empty(void **state)
{
	(void)state;
	struct ranges r = {0};
	assert_int_equal(find(&r, 5), NONE);
	ranges_add(&r, 5, 9, 7);
	ranges_add(&r, 5, 9, 3);
	ranges_add(&r, 6, 6, 1);
	ranges_add(&r, 8, 6, 0);
	ranges_sort(&r);
	assert_int_equal(r.len, 2);
	assert_int_equal(find(&r, 6), 3);
	ranges_clear(&r);
}

static void overlapping(void **state)
{
	(void)state;
	struct ranges r = {0};
	ranges_add(&r, 0, 10, 0);
	ranges_add(&r, 5, 20, 1);
	ranges_add(&r, 15, UINT64_MAX, 2);
	ranges_sort(&r);
	assert_int_equal(find(&r, 4), 0);
	assert_int_equal(find(&r, 7), 1);
	assert_int_equal(find(&r, 12), 1);
	assert_int_equal(find(&r, 25), 2);
	ranges_clear(&r);
}

/* Against the plain way. */
static void many(void **state)
{
	(void)state;
	struct ranges r = {0};
	struct range plain[300];
	uint64_t seed = 1;
	for (size_t i = 0; i < 300; i++) { /* nested or apart, never crossing: sizes are aligned */
		seed = seed * 6364136223846793005U + 1442695040888963407U;
		uint64_t size = UINT64_C(1) << (seed >> 60);
		uint64_t start = (seed >> 20) % 65536 / size * size;
		plain[i] = (struct range){start, start + size, i, 0};
		ranges_add(&r, start, start + size, i);
	}
	ranges_sort(&r);
	for (uint64_t addr = 0; addr < 100000; addr++) {
		size_t best = NONE;
		for (size_t i = 0; i < 300; i++)
			if (addr >= plain[i].start && addr < plain[i].end &&
			    (best == NONE ||
			     plain[i].end - plain[i].start < plain[best].end - plain[best].start))
				best = i;
		assert_int_equal(find(&r, addr), best);
	}
	ranges_clear(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(nested),
	        cmocka_unit_test(equal_and_empty),
	        cmocka_unit_test(overlapping),
	        cmocka_unit_test(many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
