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
#include <stdio.h>

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
	double (*gap)(struct rng *r, void *memory); /* us of running until the next fault */
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
	uint64_t end = l.begin.time_ns + ns(WINDOW);
	do {
		if (!closely) /* a nap of 30 us, with the way there and back */
			pass(s, 50 + 20 * rng_uniform(&s->rng) + exponential(&s->rng, 5), false);
		l.seen = reading(s);
	} while (l.seen.time_ns < end && !estimate_grew(&l.begin, &l.seen));
	if (!closely)
		l.window_ns = (double)(l.seen.time_ns - l.begin.time_ns);
	if (!estimate_grew(&l.begin, &l.seen))
		return 0;
	uint64_t before = s->p[0].rss, other = s->p[1].rss;
	pass(s, 4, false); /* who was it? */
	uint64_t faults[2] = {s->p[0].rss - before, s->p[1].rss - other};
	pass(s, 15 + 6 * rng_uniform(&s->rng) + exponential(&s->rng, 4), false); /* it stops */
	double halt = 6 + exponential(&s->rng, 4);
	pass(s, halt, true);
	l.after = reading(s);
	double mine = s->n == 1                  ? 1
	              : faults[0] + faults[1] > 0 ? (double)faults[0] / (double)(faults[0] + faults[1])
	                                         : 0.5;
	l.halted_ns = halt * 1000 * mine;
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
#ifdef EXPLORE
static double P1, P2, P3;
static double poisson_gap(struct rng *r, void *m){(void)m;return exponential(r,P1);}
static double regular_gap(struct rng *r, void *m){(void)m;(void)r;return P1;}
static double jitter_gap(struct rng *r, void *m){(void)m;return P1*(0.5+rng_uniform(r));}
/* bursts: in a burst of mean P2 us a fault each P1 us, then P3 us of rest */
static double burst_gap(struct rng *r, void *m){double*left=m; if(left[0]<=0){left[0]=exponential(r,P2);return exponential(r,P3);} left[0]-=P1; return P1;}
/* cluster of P2 faults P1 apart, each P3 (jittered) */
static double cluster_gap(struct rng *r, void *m){double*n=m; if(n[0]<=0){n[0]=P2-1;return P3*(0.5+rng_uniform(r));} n[0]--; return P1;}
#include <stdlib.h>
int main(void){
	double ps[]={0.25,1,5,10,20,30,40,60,100,1000,10000};
	for(int c=1;c>=0;c--){
	for(int i=0;i<11;i++){P1=ps[i];
	struct model mo={"p",poisson_gap,4096},re={"r",regular_gap,4096},ji={"j",jitter_gap,4096};
	printf("closely=%d gap %.2f: poisson %.3f regular %.3f jitter %.3f two poisson %.3f\n",c,P1,bias(&mo,NULL,100000,c),bias(&re,NULL,100000,c),bias(&ji,NULL,100000,c),bias(&mo,&mo,100000,c));}
	double bl[]={20,50,100,300,1000,5000};
	for(int i=0;i<6;i++){P1=0.5;P2=bl[i];P3=4*bl[i]+100;struct model b={"b",burst_gap,4096};printf("closely=%d burst %.0f us: %.3f\n",c,P2,bias(&b,NULL,150000,c));}
	double cn[]={2,4,16,64,256};
	for(int i=0;i<5;i++){P1=0.5;P2=cn[i];P3=300;struct model b={"c",cluster_gap,4096};printf("closely=%d cluster of %.0f each 300us: %.3f\n",c,P2,bias(&b,NULL,150000,c));}
	for(int i=0;i<5;i++){P1=0.5;P2=cn[i];P3=5000;struct model b={"c",cluster_gap,4096};printf("closely=%d cluster of %.0f each 5ms: %.3f\n",c,P2,bias(&b,NULL,150000,c));}
	double hp[]={50,150,400};
	for(int i=0;i<3;i++){P1=hp[i];struct model b={"h",jitter_gap,2097152},p={"h",poisson_gap,2097152};printf("closely=%d huge each %.0f: jitter %.3f poisson %.3f\n",c,P1,bias(&b,NULL,150000,c),bias(&p,NULL,150000,c));}
	}
}
#endif
