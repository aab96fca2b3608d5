/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "profile/ledger.h"

#include <stdlib.h>
#include <string.h>

static void add(struct ledger *l, uint64_t time, uint64_t anon, uint64_t file, uint64_t shmem)
{
	const uint64_t bytes[MEM_KINDS] = {anon, file, shmem};
	ledger_add(l, time, bytes);
}

static void empty(void **state)
{
	(void)state;
	struct ledger *l = ledger_new(0);
	size_t len = 7;
	assert_null(ledger_start(l));
	assert_null(ledger_now(l));
	assert_int_equal(ledger_peak(l), 0);
	ledger_series(l, &len);
	assert_int_equal(len, 0);
	ledger_settle(l);
	assert_int_equal(ledger_sum(ledger_total(l)->grown), 0);
	assert_int_equal(ledger_sum(ledger_total(l)->released), 0);
	ledger_free(l);
	ledger_free(NULL);
}

static void ups_and_downs(void **state)
{
	(void)state;
	struct ledger *l = ledger_new(0);
	add(l, 1, 100, 50, 0);
	assert_int_equal(ledger_sum(ledger_total(l)->grown), 0); /* what was there didn't grow */
	add(l, 2, 130, 50, 7);
	add(l, 3, 110, 60, 7);
	add(l, 4, 150, 0, 7);
	const struct ledger_total *t = ledger_total(l);
	assert_int_equal(t->grown[MEM_ANON], 70);
	assert_int_equal(t->released[MEM_ANON], 20);
	assert_int_equal(t->grown[MEM_FILE], 10);
	assert_int_equal(t->released[MEM_FILE], 60);
	assert_int_equal(t->grown[MEM_SHMEM], 7);
	assert_int_equal(t->released[MEM_SHMEM], 0);
	assert_int_equal(ledger_peak(l), 187);
	assert_int_equal(ledger_start(l)->time_ns, 1);
	assert_int_equal(ledger_start(l)->bytes[MEM_FILE], 50);
	assert_int_equal(ledger_now(l)->time_ns, 4);
	assert_int_equal(ledger_sum(ledger_now(l)->bytes), 157);
	ledger_free(l);
}

static void noise_is_no_growth(void **state)
{
	(void)state;
	struct ledger *l = ledger_new(10);
	add(l, 0, 1000, 0, 0);
	for (uint64_t i = 1; i < 100; i++)
		add(l, i, 1000 + (i % 3) * 5, 0, 0); /* up and down by 10 at most */
	assert_int_equal(ledger_sum(ledger_total(l)->grown), 0);
	assert_int_equal(ledger_sum(ledger_total(l)->released), 0);
	add(l, 100, 1010, 0, 0);
	ledger_settle(l);
	assert_int_equal(ledger_total(l)->grown[MEM_ANON], 10); /* but it adds up */
	ledger_settle(l);
	assert_int_equal(ledger_total(l)->grown[MEM_ANON], 10);
	add(l, 101, 1021, 0, 0);
	assert_int_equal(ledger_total(l)->grown[MEM_ANON], 21);
	add(l, 102, 1011, 0, 0);
	assert_int_equal(ledger_total(l)->released[MEM_ANON], 0);
	add(l, 103, 1010, 0, 0);
	assert_int_equal(ledger_total(l)->released[MEM_ANON], 11);
	ledger_free(l);
}

/* Slow growth in small steps is still growth. */
static void slow_growth_is_booked(void **state)
{
	(void)state;
	struct ledger *l = ledger_new(100);
	for (uint64_t i = 0; i <= 1000; i++)
		add(l, i, i * 7, 0, 0);
	assert_true(ledger_total(l)->grown[MEM_ANON] >= 7000 - 100);
	ledger_settle(l);
	assert_int_equal(ledger_total(l)->grown[MEM_ANON], 7000);
	ledger_free(l);
}

/* grown - released = now - start, for readings of any size and order. */
static void always_adds_up(void **state)
{
	(void)state;
	struct rng r = rng_seeded(14);
	for (int round = 0; round < 300; round++) {
		struct ledger *l = ledger_new(rng_next(&r) >> (rng_next(&r) % 64));
		uint64_t first[MEM_KINDS], last[MEM_KINDS], peak = 0;
		uint64_t n = 1 + rng_next(&r) % 50;
		for (uint64_t i = 0; i < n; i++) {
			for (int k = 0; k < MEM_KINDS; k++)
				last[k] = rng_next(&r) >> (8 + rng_next(&r) % 56);
			if (i == 0)
				memcpy(first, last, sizeof first);
			ledger_add(l, i, last);
			if (ledger_sum(last) > peak)
				peak = ledger_sum(last);
			if (rng_next(&r) % 8 == 0)
				ledger_settle(l);
		}
		ledger_settle(l);
		const struct ledger_total *t = ledger_total(l);
		for (int k = 0; k < MEM_KINDS; k++)
			assert_int_equal(t->grown[k] - t->released[k], last[k] - first[k]);
		assert_memory_equal(ledger_start(l)->bytes, first, sizeof first);
		assert_memory_equal(ledger_now(l)->bytes, last, sizeof last);
		assert_int_equal(ledger_peak(l), peak);
		ledger_free(l);
	}
}

static void short_series_is_whole(void **state)
{
	(void)state;
	struct ledger *l = ledger_new(0);
	for (uint64_t i = 0; i < 5000; i++)
		add(l, i * 10, i, 0, 0);
	size_t len;
	const struct ledger_point *p = ledger_series(l, &len);
	assert_int_equal(len, 5000);
	for (uint64_t i = 0; i < len; i++) {
		assert_int_equal(p[i].time_ns, i * 10);
		assert_int_equal(p[i].bytes[MEM_ANON], i);
	}
	ledger_free(l);
}

/* However long it gets: bounded, in order, from the first point to the last, without large gaps. */
static void long_series_is_thinned(void **state)
{
	(void)state;
	struct ledger *l = ledger_new(0);
	struct rng r = rng_seeded(15);
	uint64_t time = 1000, n = 300000;
	for (uint64_t i = 0; i < n; i++) {
		add(l, time, i, 0, 0);
		size_t len;
		const struct ledger_point *p = ledger_series(l, &len);
		assert_true(len <= 8192);
		assert_int_equal(p[len - 1].time_ns, time); /* the newest is always there */
		time += 1 + rng_next(&r) % 1000;
	}
	size_t len;
	const struct ledger_point *p = ledger_series(l, &len);
	assert_true(len > 2000);
	assert_int_equal(p[0].time_ns, 1000);
	assert_int_equal(p[len - 1].bytes[MEM_ANON], n - 1);
	uint64_t span = p[len - 1].time_ns - p[0].time_ns;
	for (size_t i = 1; i < len; i++) {
		assert_true(p[i].time_ns > p[i - 1].time_ns);
		assert_true(p[i].bytes[MEM_ANON] > p[i - 1].bytes[MEM_ANON]);
		assert_true(p[i].time_ns - p[i - 1].time_ns < span / 500);
	}
	ledger_free(l);
}

static void clock_that_stands_still(void **state)
{
	(void)state;
	struct ledger *l = ledger_new(0);
	for (uint64_t i = 0; i < 30000; i++)
		add(l, 5, i, 0, 0);
	size_t len;
	const struct ledger_point *p = ledger_series(l, &len);
	assert_true(len > 0 && len <= 8192);
	assert_int_equal(p[len - 1].bytes[MEM_ANON], 29999);
	ledger_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(empty),
	        cmocka_unit_test(ups_and_downs),
	        cmocka_unit_test(noise_is_no_growth),
	        cmocka_unit_test(slow_growth_is_booked),
	        cmocka_unit_test(always_adds_up),
	        cmocka_unit_test(short_series_is_whole),
	        cmocka_unit_test(long_series_is_thinned),
	        cmocka_unit_test(clock_that_stands_still),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
