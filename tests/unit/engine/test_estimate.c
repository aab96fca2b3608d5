/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "engine/estimate.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* ---- single looks ---- */

static struct rss_reading at(uint64_t us, uint64_t anon, uint64_t file, uint64_t shmem)
{
	return (struct rss_reading){us * 1000, {anon, file, shmem}};
}

static void grew(void **state)
{
	(void)state;
	struct rss_reading a = at(0, 10, 20, 30), b = a;
	assert_false(estimate_grew(&a, &b));
	for (int k = 0; k < MEM_KINDS; k++) {
		b = a;
		b.bytes[k]--;
		assert_false(estimate_grew(&a, &b));
		b.bytes[k] += 2;
		assert_true(estimate_grew(&a, &b));
		b.bytes[(k + 1) % MEM_KINDS] = 0; /* what falls doesn't hide what grows */
		assert_true(estimate_grew(&a, &b));
	}
}

static void window_is_measured_where_it_can_be(void **state)
{
	(void)state;
	double out[MEM_KINDS];
	struct estimate_look l = {
	        .begin = at(100, 0, 1000, 0),
	        .seen = at(120, 4096, 900, 0), /* 20 us into the window */
	        .after = at(160, 4096 * 4, 900, 8000),
	        .window_ns = 60000,
	        .halted_ns = 10000,
	};
	estimate_window(&l, out);
	/* 40 us of the window are left; 30 us ran since, in which three pages came */
	assert_true(fabs(out[MEM_ANON] - (4096 + 3 * 4096 / 30.0 * 40)) < 1e-6);
	assert_true(fabs(out[MEM_FILE]) < 1e-9);
	assert_true(fabs(out[MEM_SHMEM] - 8000 / 30.0 * 40) < 1e-6);
}

static void growth_seen_at_the_end_is_all(void **state)
{
	(void)state;
	double out[MEM_KINDS];
	struct estimate_look l = {.begin = at(0, 0, 0, 0),
	                          .seen = at(60, 4096, 0, 0),
	                          .after = at(100, 1 << 20, 0, 0),
	                          .window_ns = 60000};
	estimate_window(&l, out);
	assert_true(fabs(out[MEM_ANON] - 4096) < 1e-9);
	l.seen.time_ns = 62000; /* read a little late */
	estimate_window(&l, out);
	assert_true(fabs(out[MEM_ANON] - 4096) < 1e-9);
}

/* Readings in the wrong order, a halt longer than the time, RSS that falls: never below zero, never
 * without end. */
static void odd_readings(void **state)
{
	(void)state;
	struct rng r = rng_seeded(11);
	for (int i = 0; i < 100000; i++) {
		struct rss_reading p[3];
		for (int j = 0; j < 3; j++) {
			p[j].time_ns = rng_next(&r) >> (rng_next(&r) % 64);
			for (int k = 0; k < MEM_KINDS; k++)
				p[j].bytes[k] = rng_next(&r) >> (rng_next(&r) % 64);
		}
		struct estimate_look l = {p[0], p[1], p[2], rng_uniform(&r) * 1e5,
		                          rng_uniform(&r) * 1e6};
		double out[MEM_KINDS];
		estimate_window(&l, out);
		for (int k = 0; k < MEM_KINDS; k++) {
			assert_true(isfinite(out[k]));
			assert_true(out[k] >= 0);
			double least = p[1].bytes[k] > p[0].bytes[k]
			                       ? (double)(p[1].bytes[k] - p[0].bytes[k])
			                       : 0;
			assert_true(out[k] >= least);
		}
	}
}

static void no_time_at_all(void **state)
{
	(void)state;
	double out[MEM_KINDS];
	struct estimate_look l = {.begin = at(5, 0, 0, 0),
	                          .seen = at(5, 4096, 0, 0),
	                          .after = at(5, 8192, 0, 0),
	                          .window_ns = 60000,
	                          .halted_ns = 60000};
	estimate_window(&l, out);
	assert_true(isfinite(out[MEM_ANON]));
	assert_true(out[MEM_ANON] <= 4096 + 4096 * 60 / 5.0 + 1e-6); /* a rate over 5 us at least */
}

/* ---- a simulated process ---- */

struct model {
	const char *name;
	double (*gap)(struct rng *r, double memory[4]); /* us of running until the next fault */
	double memory[4];                               /* to begin with */
	double bytes;
};

struct process {
	const struct model *model;
	struct rng rng;
	double now, next; /* us of its own running time */
	double memory[4];
	uint64_t rss;
};

static double exponential(struct rng *r, double mean)
{
	return -mean * log(1 - rng_uniform(r));
}

static void run(struct process *p, double us)
{
	p->now += us;
	while (p->next <= p->now) {
		p->rss += (uint64_t)p->model->bytes;
		p->next += p->model->gap(&p->rng, p->memory);
	}
}

static uint64_t ns(double us)
{
	return (uint64_t)(us * 1000);
}

#define BASE_RSS (UINT64_C(1) << 30)

/* wall is the observer's time; two processes stand for two threads, of which only the first is ever
 * halted. */
struct scene {
	struct process p[2];
	int n;
	double wall;
	struct rng rng;
};

static void pass(struct scene *s, double us, bool halted)
{
	s->wall += us;
	for (int i = halted ? 1 : 0; i < s->n; i++)
		run(&s->p[i], us);
}

/* A reading: RSS as it is in the middle, the clock read at the end. */
static struct rss_reading reading(struct scene *s)
{
	pass(s, 0.8 + 0.4 * rng_uniform(&s->rng), false);
	uint64_t rss = BASE_RSS;
	for (int i = 0; i < s->n; i++)
		rss += s->p[i].rss;
	pass(s, 0.8 + 0.4 * rng_uniform(&s->rng), false);
	return (struct rss_reading){ns(s->wall), {rss, 0, 0}};
}

#define WINDOW 60.0

/* One look as src/engine/stops.c takes it: its estimate of the growth per microsecond. */
static double look(struct scene *s, bool closely)
{
	struct estimate_look l = {.begin = reading(s), .window_ns = WINDOW * 1000};
	l.seen = l.begin;
	uint64_t end = l.begin.time_ns + ns(WINDOW);
	if (!closely) { /* one nap of 30 us, with the way there and back */
		pass(s, 35 + 20 * rng_uniform(&s->rng) + exponential(&s->rng, 5), false);
		l.seen = reading(s);
		l.window_ns = (double)(l.seen.time_ns - l.begin.time_ns);
	}
	while (closely && l.seen.time_ns < end && !estimate_grew(&l.begin, &l.seen))
		l.seen = reading(s);
	if (!estimate_grew(&l.begin, &l.seen))
		return 0;
	uint64_t before = s->p[0].rss, other = s->p[1].rss;
	pass(s, 4, false); /* who was it? */
	uint64_t faults[2] = {s->p[0].rss - before, s->p[1].rss - other};
	pass(s, 15 + 6 * rng_uniform(&s->rng) + exponential(&s->rng, 4), false); /* it stops */
	double halt = 6 + exponential(&s->rng, 4);
	pass(s, halt, true);
	double mine = s->n == 1 ? 1
	              : faults[0] + faults[1] > 0
	                      ? (double)faults[0] / (double)(faults[0] + faults[1])
	                      : 0.5;
	l.halted_ns = halt * 1000 * mine;
	do /* for what is left of the window */
		l.after = reading(s);
	while (estimate_open(&l));
	double out[MEM_KINDS];
	estimate_window(&l, out);
	return out[MEM_ANON] / l.window_ns * 1000;
}

/* The mean estimate of many looks at random times over the true growth per running time. */
static double bias(const struct model *a, const struct model *b, int looks, bool closely)
{
	struct scene s = {.n = b ? 2 : 1, .rng = rng_seeded(1)};
	for (int i = 0; i < s.n; i++) {
		s.p[i] = (struct process){.model = i ? b : a, .rng = rng_seeded((uint64_t)i + 2)};
		memcpy(s.p[i].memory, s.p[i].model->memory, sizeof s.p[i].memory);
		s.p[i].next = s.p[i].model->gap(&s.p[i].rng, s.p[i].memory);
	}
	double sum = 0, truth = 0, next = 0;
	for (int i = 0; i < looks; i++) {
		next += 300 + 600 * rng_uniform(&s.rng); /* however long the last look took */
		pass(&s, next - s.p[0].now, false);
		sum += look(&s, closely);
	}
	for (int i = 0; i < s.n; i++)
		truth += (double)s.p[i].rss / s.p[i].now;
	return sum / looks / truth;
}

static double poisson(struct rng *r, double *m)
{
	return exponential(r, m[0]);
}

static double regular(struct rng *r, double *m)
{
	(void)r;
	return m[0];
}

static double irregular(struct rng *r, double *m)
{
	return m[0] * (0.5 + rng_uniform(r));
}

/* Bursts of random length, mean m[1], in which a fault comes every m[0]; then a rest of mean m[2].
 */
static double bursts(struct rng *r, double *m)
{
	if (m[3] <= 0) {
		m[3] = exponential(r, m[1]);
		return exponential(r, m[2]);
	}
	m[3] -= m[0];
	return m[0];
}

/* m[1] faults, m[0] apart, as when a buffer is filled; then a rest of mean m[2]. */
static double buffers(struct rng *r, double *m)
{
	if (m[3] <= 0) {
		m[3] = m[1] - 1;
		return m[2] * (0.5 + rng_uniform(r));
	}
	m[3]--;
	return m[0];
}

struct property {
	struct model a, b; /* b.gap NULL: one thread */
	int looks;
	bool closely;
};

#define KB 1024.0
#define MB (1024 * KB)

/* All of them are told, then it fails. */
static void check(const struct property *all, size_t n, double tolerance)
{
	int bad = 0;
	for (size_t i = 0; i < n; i++) {
		const struct property *c = &all[i];
		double got = bias(&c->a, c->b.gap ? &c->b : NULL, c->looks, c->closely);
		if (fabs(got - 1) <= tolerance)
			continue;
		print_error("%s: %.3f of the true growth\n", c->a.name, got);
		bad++;
	}
	assert_int_equal(bad, 0);
}

#define CHECK(cases, tolerance) check(cases, sizeof(cases) / sizeof(cases)[0], tolerance)

static void single_faults(void **state)
{
	(void)state;
	static const struct property cases[] = {
	        {{"a page each 0.25 us", poisson, {0.25}, 4 * KB}, {0}, 4000, true},
	        {{"a page each 2 us", poisson, {2}, 4 * KB}, {0}, 10000, true},
	        {{"a page each 10 us", poisson, {10}, 4 * KB}, {0}, 20000, true},
	        {{"a page each 40 us", poisson, {40}, 4 * KB}, {0}, 30000, true},
	        {{"a page each 100 us", poisson, {100}, 4 * KB}, {0}, 40000, true},
	        {{"a page each ms", poisson, {1000}, 4 * KB}, {0}, 100000, true},
	};
	CHECK(cases, 0.03);
}

static void long_bursts(void **state)
{
	(void)state;
	static const struct property cases[] = {
	        {{"1 ms at full speed", bursts, {0.5, 1000, 4000}, 4 * KB}, {0}, 50000, true},
	        {{"5 ms at full speed", bursts, {0.5, 5000, 20000}, 4 * KB}, {0}, 50000, true},
	        {{"5 ms in file pages", bursts, {4, 5000, 20000}, 64 * KB}, {0}, 50000, true},
	};
	CHECK(cases, 0.03);
}

static void huge_pages(void **state)
{
	(void)state;
	static const struct property cases[] = {
	        {{"a huge page each 60 us", poisson, {60}, 2 * MB}, {0}, 40000, true},
	        {{"a huge page each 150 us", poisson, {150}, 2 * MB}, {0}, 50000, true},
	        {{"a huge page each 150 us or so", irregular, {150}, 2 * MB}, {0}, 50000, true},
	};
	CHECK(cases, 0.03);
}

static void two_threads(void **state)
{
	(void)state;
	static const struct property cases[] = {
	        {{"each 1 us, 1 us", poisson, {1}, 4 * KB}, {"", poisson, {1}, 4 * KB}, 8000, true},
	        {{"each 2 us, 20 us", poisson, {2}, 4 * KB},
	         {"", poisson, {20}, 4 * KB},
	         20000,
	         true},
	        {{"each 50 us, 50 us", poisson, {50}, 4 * KB},
	         {"", poisson, {50}, 4 * KB},
	         30000,
	         true},
	};
	CHECK(cases, 0.03);
}

/* A nap instead of a close watch: the window is as long as it was. */
static void napping(void **state)
{
	(void)state;
	static const struct property cases[] = {
	        {{"a page each us", poisson, {1}, 4 * KB}, {0}, 8000, false},
	        {{"a page each 40 us", poisson, {40}, 4 * KB}, {0}, 40000, false},
	        {{"a page each ms", poisson, {1000}, 4 * KB}, {0}, 100000, false},
	        {{"a page each 40 us sharp", regular, {40}, 4 * KB}, {0}, 40000, false},
	        {{"256 KiB at once", buffers, {0.5, 64, 1000}, 4 * KB}, {0}, 60000, false},
	        {{"a huge page each 150 us", poisson, {150}, 2 * MB}, {0}, 60000, false},
	};
	CHECK(cases, 0.05);
}

/* A buffer is filled in less time than a window is long. One that is filled within the 25 us that a
 * stop takes to come, begun near the window's end, is the worst case: 16 % too little. */
static void brief_bursts(void **state)
{
	(void)state;
	static const struct property cases[] = {
	        {{"16 KiB at once", buffers, {0.5, 4, 1000}, 4 * KB}, {0}, 60000, true},
	        {{"64 KiB at once", buffers, {0.5, 16, 1000}, 4 * KB}, {0}, 60000, true},
	        {{"256 KiB at once", buffers, {0.5, 64, 1000}, 4 * KB}, {0}, 60000, true},
	        {{"1 MiB at once", buffers, {0.5, 256, 1000}, 4 * KB}, {0}, 60000, true},
	        {{"0.1 ms or so", bursts, {0.5, 100, 400}, 4 * KB}, {0}, 60000, true},
	};
	CHECK(cases, 0.18);
}

/* As of a parser that needs a page now and then: after one fault the next is some time away. */
static void regular_faults(void **state)
{
	(void)state;
	static const struct property cases[] = {
	        {{"a page each 5 us sharp", regular, {5}, 4 * KB}, {0}, 20000, true},
	        {{"a page each 12 us sharp", regular, {12}, 4 * KB}, {0}, 20000, true},
	        {{"a page each 30 us sharp", regular, {30}, 4 * KB}, {0}, 30000, true},
	        {{"a page each 40 us sharp", regular, {40}, 4 * KB}, {0}, 30000, true},
	        {{"a page each 40 us or so", irregular, {40}, 4 * KB}, {0}, 30000, true},
	        {{"a page each 100 us sharp", regular, {100}, 4 * KB}, {0}, 40000, true},
	};
	CHECK(cases, 0.07);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(grew),
	        cmocka_unit_test(window_is_measured_where_it_can_be),
	        cmocka_unit_test(growth_seen_at_the_end_is_all),
	        cmocka_unit_test(odd_readings),
	        cmocka_unit_test(no_time_at_all),
	        cmocka_unit_test(single_faults),
	        cmocka_unit_test(long_bursts),
	        cmocka_unit_test(huge_pages),
	        cmocka_unit_test(two_threads),
	        cmocka_unit_test(napping),
	        cmocka_unit_test(brief_bursts),
	        cmocka_unit_test(regular_faults),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
