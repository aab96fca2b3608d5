/* SPDX-License-Identifier: MIT */
/* The stops engine: at random times RSS is watched for a moment. Only if it grows right then, the
 * thread that faults is stopped for some tens of microseconds. doc/ARCHITECTURE.md tells why this
 * is right. */
#include "engine/budget.h"
#include "engine/counters.h"
#include "engine/estimate.h"
#include "engine/out.h"
#include "engine/priority.h"
#include "engine/stacks.h"
#include "engine/threads.h"

#include "base/clock.h"
#include "base/mem.h"
#include "proc/stat.h"
#include "target/stop.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WINDOW_NS    (60 * NS_PER_US) /* for which RSS is watched */
#define NAP_NS       (30 * NS_PER_US) /* that take about a window, with the way there and back */
#define QUIET_NS     NS_PER_S         /* without growth: no need to watch closely */
#define MIN_WAIT_NS  (100 * NS_PER_US)
#define MAX_INTERVAL 1000.0 /* ms, however tight the budget */
#define TIGHTEN_NS   (200 * NS_PER_MS)
#define RELAX_NS     NS_PER_S

struct engine_impl {
	struct engine_out *out;
	const struct process *process;
	struct counters *counters;
	struct stopper *stopper;
	struct stacks *stacks;
	struct threads *threads;
	struct budget budget;
	cpu_set_t cpus; /* that we may run on */
	struct rng rng;
	double base_ms, interval_ms;
	uint64_t tightened_ns; /* when the budget last lengthened the interval, or it was relaxed */
	uint64_t grew_ns;      /* when growth was last seen */
	struct rss_reading last; /* as told to the receiver */
};

static void stops_close(struct engine_impl *st)
{
	stopper_free(st->stopper);
	stacks_free(st->stacks);
	threads_free(st->threads);
	counters_close(st->counters);
	free(st);
}

static struct engine_impl *stops_open(const struct process *p, const struct engine_config *c,
                                      struct engine_out *out, struct err *e)
{
	struct engine_impl *st = mem_alloc(sizeof *st);
	st->out = out;
	st->process = p;
	st->counters = counters_open(p, e);
	if (!st->counters) {
		stops_close(st);
		return NULL;
	}
	uint64_t now = clock_ns();
	st->rng = rng_seeded(now ^ (uint64_t)process_pid(p) << 32);
	st->stopper = stopper_new(ENGINE_STACK_MAX);
	st->stacks = stacks_new(p);
	st->threads = threads_new(p, rng_seeded(rng_next(&st->rng)));
	st->budget = budget_new(c->overhead, now);
	st->base_ms = st->interval_ms = c->interval_ms;
	sched_getaffinity(0, sizeof st->cpus, &st->cpus);
	st->grew_ns = now;
	return st;
}

static void tell_rss(struct engine_impl *st, const struct rss_reading *r)
{
	if (memcmp(r->bytes, st->last.bytes, sizeof r->bytes) == 0)
		return;
	struct engine_message m = {.kind = ENGINE_RSS, .time_ns = r->time_ns};
	memcpy(m.rss, r->bytes, sizeof m.rss);
	if (engine_out_put(st->out, &m)) /* else it is told at the next look */
		st->last = *r;
}

static void tell_missed(struct engine_impl *st, const double weight[MEM_KINDS])
{
	struct engine_message m = {.kind = ENGINE_MISSED, .time_ns = clock_ns()};
	memcpy(m.missed, weight, sizeof m.missed);
	engine_out_put(st->out, &m);
	ENGINE_COUNT(st->out, asleep);
}

static void tell_sample(struct engine_impl *st, const struct watched *w, const struct stop_copy *c,
                        const double weight[MEM_KINDS])
{
	struct sample *s = mem_alloc(sizeof *s + c->stack_len);
	s->time_ns = c->stop_ns;
	s->tid = w->tid;
	memcpy(s->comm, w->comm, sizeof s->comm);
	memcpy(s->weight, weight, sizeof s->weight);
	memcpy(s->regs, c->regs, sizeof s->regs);
	s->stack_len = c->stack_len;
	memcpy(s->stack, c->stack, c->stack_len);
	struct engine_message m = {.kind = ENGINE_SAMPLE, .time_ns = c->stop_ns, .sample = s};
	engine_out_put(st->out, &m);
}

/* A thread by its share of the faults, so that one stop stands for all that grow; NULL if none
 * does. A thread that sleeps by now is passed over: it must not be stopped, and has stopped
 * growing. */
static struct watched *pick(struct engine_impl *st, struct watched *w, size_t n)
{
	uint64_t total = 0;
	for (size_t i = 0; i < n; i++)
		total += w[i].delta;
	double at = rng_uniform(&st->rng) * (double)total;
	for (size_t i = 0; i < n; i++) {
		if (at < (double)w[i].delta)
			return w[i].state == 'R' || w[i].state == 'D' ? &w[i] : NULL;
		at -= (double)w[i].delta;
	}
	return NULL;
}

static bool stop(struct engine_impl *st, const struct watched *w, struct stop_copy *c)
{
	struct stop_request r = {
	        .pid = process_pid(st->process),
	        .tid = w->tid,
	        .max_stack = atomic_load(&st->out->stack),
	        .stack_end = stacks_end,
	        .arg = st->stacks,
	};
	enum stop_result result = stopper_stop(st->stopper, &r, c);
	pthread_mutex_lock(&st->out->lock);
	struct engine_stats *s = &st->out->stats;
	if (result == STOP_DONE) {
		s->stops++;
		s->dozed += c->asleep;
		histogram_add(&s->window, c->window_ns);
	} else if (result == STOP_LATE) {
		s->late++;
	} else {
		s->failed++;
	}
	pthread_mutex_unlock(&st->out->lock);
	if (result == STOP_DONE)
		budget_spend(&st->budget, c->window_ns);
	return result == STOP_DONE;
}

/* Looks must stay random when the budget is short: so their mean distance grows, for as long as it
 * takes, and each weighs more. */
static void tighten(struct engine_impl *st)
{
	uint64_t now = clock_ns();
	ENGINE_COUNT(st->out, skipped);
	if (now - st->tightened_ns < TIGHTEN_NS)
		return;
	st->tightened_ns = now;
	st->interval_ms *= 1.25;
	if (st->interval_ms > MAX_INTERVAL)
		st->interval_ms = MAX_INTERVAL;
	ENGINE_SET(st->out, interval_ms, st->interval_ms);
}

static void relax(struct engine_impl *st)
{
	uint64_t now = clock_ns();
	if (st->interval_ms <= st->base_ms || now - st->tightened_ns < RELAX_NS)
		return;
	st->interval_ms = st->interval_ms > st->base_ms * 1.1 ? st->interval_ms / 1.1 : st->base_ms;
	st->tightened_ns = now;
	ENGINE_SET(st->out, interval_ms, st->interval_ms);
}

/* One look. */
struct look {
	struct watched threads[THREADS_WATCHED];
	size_t n;
	double share;           /* of the active threads that is among them */
	uint64_t before_faults; /* of the whole process, where share is below 1 */
	struct estimate_look rss;
};

static uint64_t process_faults(const struct engine_impl *st)
{
	struct proc_stat s;
	char *text = process_slurp(st->process, "stat", NULL);
	uint64_t n = text && proc_stat_parse(text, &s) ? s.minflt + s.majflt : 0;
	free(text);
	return n;
}

/* While we watch closely, the target can't grow on the CPU that we take from it. So where its only
 * running thread was on ours, we go to another; false if there is none. */
static bool keep_apart(struct engine_impl *st, const struct look *l)
{
	int running = 0, cpu = -1, own = sched_getcpu();
	for (size_t i = 0; i < l->n; i++) {
		if (l->threads[i].state != 'R')
			continue;
		running++;
		cpu = l->threads[i].cpu;
	}
	if (CPU_COUNT(&st->cpus) < 2)
		return false;
	if (running != 1 || cpu != own)
		return true;
	cpu_set_t others = st->cpus;
	CPU_CLR((size_t)cpu, &others);
	return sched_setaffinity(0, sizeof others, &others) == 0;
}

/* Watches for the window, or until RSS grows. Reading again and again costs a core 60 us, and finds
 * growth 2 us after it came; a nap costs nothing, and finds it later. */
static bool watch(struct engine_impl *st, struct look *l, bool closely)
{
	const struct timespec nap = {.tv_nsec = (long)NAP_NS};
	uint64_t end = l->rss.begin.time_ns + WINDOW_NS;
	if (!closely)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
	do {
		if (!counters_read(st->counters, &l->rss.seen))
			return false;
	} while (closely && l->rss.seen.time_ns < end &&
	         !estimate_grew(&l->rss.begin, &l->rss.seen));
	/* A nap is as long as it is, and so is a window in which we lost the CPU. */
	uint64_t took = l->rss.seen.time_ns - l->rss.begin.time_ns;
	l->rss.window_ns = (double)(!closely || took > WINDOW_NS ? took : WINDOW_NS);
	return true;
}

static bool begin_look(struct engine_impl *st, struct look *l)
{
	l->n = threads_watch(st->threads, l->threads, &l->share);
	bool closely = clock_ns() - st->grew_ns < QUIET_NS && keep_apart(st, l);
	l->before_faults = l->share < 1 ? process_faults(st) : 0;
	return counters_read(st->counters, &l->rss.begin) && watch(st, l, closely);
}

/* Of many active threads only some were read: what these stand for. */
static double chosen_share(const struct engine_impl *st, const struct look *l, uint64_t faults)
{
	if (l->share >= 1)
		return 1;
	uint64_t all = process_faults(st) - l->before_faults;
	return all > 0 ? (double)faults / l->share / (double)all : 0;
}

/* From growth in a window to growth in an interval. */
static void weigh(const struct engine_impl *st, const struct look *l, double share,
                  double weight[MEM_KINDS])
{
	estimate_window(&l->rss, weight);
	double windows = st->interval_ms * (double)NS_PER_MS / l->rss.window_ns;
	for (int k = 0; k < MEM_KINDS; k++)
		weight[k] *= windows * share;
}

static void missed(struct engine_impl *st, struct look *l)
{
	double weight[MEM_KINDS];
	l->rss.after = l->rss.seen;
	weigh(st, l, 1, weight);
	tell_missed(st, weight);
}

static uint64_t faults_of(const struct look *l)
{
	uint64_t faults = 0;
	for (size_t i = 0; i < l->n; i++)
		faults += l->threads[i].delta;
	return faults;
}

static void sample_growth(struct engine_impl *st, struct look *l, const struct watched *w,
                          const struct stop_copy *copy)
{
	double weight[MEM_KINDS];
	weigh(st, l, chosen_share(st, l, faults_of(l)), weight);
	tell_rss(st, &l->rss.after);
	tell_sample(st, w, copy, weight);
	stacks_refresh(st->stacks);
}

/* RSS during what is left of the window. */
static void watch_on(struct engine_impl *st, struct look *l)
{
	do {
		if (!counters_read(st->counters, &l->rss.after)) {
			l->rss.after = l->rss.seen;
			return;
		}
	} while (estimate_open(&l->rss));
}

/* The only active thread, if it was running: it must be the one, and there is no time to lose. */
static struct watched *only(struct look *l)
{
	return l->n == 1 && l->share >= 1 && l->threads[0].state == 'R' ? &l->threads[0] : NULL;
}

enum found { FOUND_SAMPLE, FOUND_NOBODY, FOUND_NO_BUDGET };

/* RSS grew just now: stops who did it. */
static enum found stop_grower(struct engine_impl *st, struct look *l, struct watched **who,
                              struct stop_copy *copy)
{
	struct watched *w = only(l);
	bool sure = w != NULL;
	if (!sure) {
		threads_reread(st->threads, l->threads, l->n);
		w = pick(st, l->threads, l->n);
	}
	if (!w)
		return FOUND_NOBODY;
	if (!budget_allows(&st->budget, l->rss.seen.time_ns))
		return FOUND_NO_BUDGET;
	bool stopped = stop(st, w, copy);
	if (stopped) /* of several growing threads only this one stood */
		l->rss.halted_ns = (double)copy->halted_ns *
		                   (sure ? 1 : (double)w->delta / (double)faults_of(l));
	watch_on(st, l);
	if (sure)
		threads_reread(st->threads, l->threads, l->n);
	*who = w;
	/* asleep: what grew is done, and its stack is gone; without faults: it was somebody else */
	return stopped && !copy->asleep && w->delta > 0 ? FOUND_SAMPLE : FOUND_NOBODY;
}

static void look(struct engine_impl *st)
{
	struct look l = {0};
	struct stop_copy copy;
	struct watched *who = NULL;
	enum found found = FOUND_NOBODY;
	bool raised = priority_raise();
	bool alive = begin_look(st, &l);
	bool grew = alive && estimate_grew(&l.rss.begin, &l.rss.seen);
	if (grew)
		found = stop_grower(st, &l, &who, &copy);
	priority_lower(raised);
	if (!alive) {
		counters_follow(st->counters);
		return;
	}
	ENGINE_COUNT(st->out, looks);
	tell_rss(st, &l.rss.begin);
	tell_rss(st, &l.rss.seen);
	if (grew) {
		ENGINE_COUNT(st->out, grew);
		st->grew_ns = l.rss.seen.time_ns;
		if (found == FOUND_SAMPLE)
			sample_growth(st, &l, who, &copy);
		else if (found == FOUND_NO_BUDGET)
			tighten(st);
		else if (l.share >= 1)
			missed(st, &l);
		threads_scan(st->threads);
	}
	relax(st);
}

/* Waits for the next look. A thread that stopped late is let go meanwhile, within a millisecond. */
static bool rest(struct engine_impl *st, uint64_t until)
{
	while (stopper_late(st->stopper) > 0 && clock_ns() + NS_PER_MS < until) {
		if (!engine_out_wait(st->out, clock_ns() + NS_PER_MS))
			return false;
		stopper_sweep(st->stopper);
	}
	return engine_out_wait(st->out, until);
}

static void stops_run(struct engine_impl *st)
{
	uint64_t next = clock_ns();
	while (rest(st, next)) {
		look(st); /* nothing to see between two programs in an exec, or after the end */
		/* Uniform, not exponential: as unpredictable to a target's period, with a third of
		 * the variance. */
		double wait = rng_uniform(&st->rng) * 2 * st->interval_ms * (double)NS_PER_MS;
		next = clock_ns() + MIN_WAIT_NS + (uint64_t)wait;
	}
}

const struct engine_ops engine_stops = {
        .name = "stops",
        .open = stops_open,
        .run = stops_run,
        .close = stops_close,
};
