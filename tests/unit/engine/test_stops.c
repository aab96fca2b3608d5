/* SPDX-License-Identifier: MIT */
#include "../target/forked.h"

#include "base/clock.h"
#include "engine/engine.h"
#include "engine/out.h"

#include <math.h>
#include <pthread.h>
#include <sys/syscall.h>

#define PAGE    4096
#define ROOM    (32 << 20) /* bytes that a growing child takes before it begins again */
#define WAIT_NS (20 * NS_PER_S)

struct shared {
	volatile uint64_t counter;
	volatile pid_t tid;
};

/* ---- children ---- */

/* Touches fresh pages as fast as it can. */
static __attribute__((noinline)) void grow(struct shared *s)
{
	char *m = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		_exit(1);
	madvise(m, ROOM, MADV_NOHUGEPAGE);
	for (;;) {
		for (size_t at = 0; at < ROOM; at += PAGE) {
			m[at] = 1;
			s->counter++;
		}
		madvise(m, ROOM, MADV_DONTNEED);
	}
}

static void growing(int says, int hears, void *arg)
{
	(void)hears;
	prctl(PR_SET_NAME, "gro)\nw");
	forked_say(says);
	grow(arg);
}

static void spinning(int says, int hears, void *arg)
{
	struct shared *s = arg;
	(void)hears;
	forked_say(says);
	for (;;)
		s->counter++;
}

static void *growing_thread(void *arg)
{
	struct shared *s = arg;
	s->tid = (pid_t)syscall(SYS_gettid);
	grow(s);
	return NULL;
}

static void with_growing_thread(int says, int hears, void *arg)
{
	struct shared *s = arg;
	pthread_t t;
	if (pthread_create(&t, NULL, growing_thread, s) != 0)
		_exit(1);
	while (!s->tid)
		usleep(100);
	forked_sleep(says, hears, NULL);
}

/* ---- the watch ---- */

struct fixture {
	struct forked child;
	pid_t pid; /* the child's, even when it has been reaped */
	struct shared *shared;
	struct process *process;
	struct engine *engine;
	uint64_t rss, samples, missed;
	double weight;
	sigset_t old;
};

static struct fixture start(forked_body *body, double interval_ms, double overhead)
{
	struct fixture f = {0};
	struct engine_config c = {.interval_ms = interval_ms, .overhead = overhead};
	struct err e = {""};
	sigset_t child;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &f.old);
	f.shared = forked_shared(sizeof *f.shared);
	f.child = forked_start(body, f.shared);
	f.pid = f.child.pid;
	forked_wait_for(&f.child);
	f.process = process_open(f.child.pid, &e);
	if (!f.process)
		fail_msg("%s", e.text);
	f.engine = engine_start(&engine_stops, f.process, &c, &e);
	if (!f.engine)
		fail_msg("%s", e.text);
	return f;
}

static void finish(struct fixture *f)
{
	engine_free(f->engine);
	process_free(f->process);
	if (f->child.pid)
		forked_kill(&f->child);
	munmap(f->shared, sizeof *f->shared);
	sigprocmask(SIG_SETMASK, &f->old, NULL);
}

static void check_sample(const struct fixture *f, const struct sample *s)
{
	double sum = 0;
	for (int k = 0; k < MEM_KINDS; k++) {
		assert_true(isfinite(s->weight[k]));
		assert_true(s->weight[k] >= 0);
		sum += s->weight[k];
	}
	assert_true(sum > 0);
	assert_true(s->weight[MEM_ANON] >= sum / 2);
	assert_int_equal(s->tid, f->shared->tid ? f->shared->tid : f->pid);
	assert_non_null(memchr(s->comm, '\0', sizeof s->comm));
	assert_true(s->regs[SAMPLE_REG_SP] > 0);
	assert_true(s->stack_len > 0);
	assert_true(s->stack_len <= ENGINE_STACK_MAX);
	assert_true(s->time_ns <= clock_ns());
}

static void drain(struct fixture *f)
{
	struct engine_message m;
	while (engine_next(f->engine, &m)) {
		f->rss += m.kind == ENGINE_RSS;
		f->missed += m.kind == ENGINE_MISSED;
		if (m.kind != ENGINE_SAMPLE)
			continue;
		f->samples++;
		f->weight += m.sample->weight[MEM_ANON];
		check_sample(f, m.sample);
		free(m.sample);
	}
}

static struct engine_stats stats(struct fixture *f)
{
	struct engine_stats s;
	engine_get_stats(f->engine, &s);
	return s;
}

static void await_samples(struct fixture *f, uint64_t n)
{
	uint64_t end = clock_ns() + WAIT_NS;
	while (f->samples < n && clock_ns() < end) {
		usleep(1000);
		drain(f);
	}
	assert_true(f->samples >= n);
}

static void await_looks(struct fixture *f, uint64_t n)
{
	uint64_t end = clock_ns() + WAIT_NS, more = stats(f).looks + n;
	while (stats(f).looks < more && clock_ns() < end)
		usleep(1000);
	assert_true(stats(f).looks >= more);
}

static void check_untouched(struct fixture *f)
{
	assert_true(process_alive(f->process));
	assert_int_equal(forked_status(f->child.pid, "TracerPid"), 0);
}

/* ---- tests ---- */

static void a_growing_child(void **state)
{
	(void)state;
	struct fixture f = start(growing, 1, 1);
	await_samples(&f, 20);
	engine_stop(f.engine);
	drain(&f);
	check_untouched(&f);
	forked_runs(&f.shared->counter);
	struct engine_stats s = stats(&f);
	assert_int_equal(s.samples, f.samples);
	assert_int_equal(s.stops, f.samples);
	assert_int_equal(s.window.count, s.stops);
	assert_true(s.grew >= s.stops);
	assert_true(s.looks >= s.grew);
	assert_int_equal(s.asleep, f.missed);
	assert_int_equal(s.lost, 0);
	assert_true(f.rss > 0);
	assert_true(f.weight > 0);
	finish(&f);
}

static void the_thread_that_grows(void **state)
{
	(void)state;
	struct fixture f = start(with_growing_thread, 1, 1);
	assert_int_not_equal(f.shared->tid, f.child.pid);
	await_samples(&f, 10); /* check_sample looks at their tid */
	engine_stop(f.engine);
	drain(&f);
	check_untouched(&f);
	forked_runs(&f.shared->counter);
	finish(&f);
}

/* Never stopped at all. */
static void an_idle_child(void **state)
{
	(void)state;
	struct fixture f = start(forked_sleep, 0.5, 1);
	forked_await(f.child.pid, f.child.pid, 'S');
	await_looks(&f, 5); /* its start is over */
	struct engine_stats before = stats(&f);
	await_looks(&f, 200);
	engine_stop(f.engine);
	drain(&f);
	struct engine_stats s = stats(&f);
	assert_int_equal(s.stops, 0);
	assert_int_equal(s.late, 0);
	assert_int_equal(s.failed, 0);
	assert_int_equal(s.grew, before.grew);
	assert_int_equal(f.samples, 0);
	assert_int_equal(s.window.count, 0);
	check_untouched(&f);
	assert_int_equal(forked_state(f.child.pid, f.child.pid), 'S');
	finish(&f);
}

/* Busy, but not growing: not stopped either. */
static void a_spinning_child(void **state)
{
	(void)state;
	struct fixture f = start(spinning, 0.5, 1);
	forked_runs(&f.shared->counter);
	await_looks(&f, 5);
	uint64_t before = stats(&f).stops;
	await_looks(&f, 200);
	engine_stop(f.engine);
	assert_int_equal(stats(&f).stops, before);
	assert_int_equal(stats(&f).late + stats(&f).failed, 0);
	check_untouched(&f);
	forked_runs(&f.shared->counter);
	finish(&f);
}

/* A budget that allows a single stop or so: the rest is skipped, and the looks become rarer. */
static void a_small_budget(void **state)
{
	(void)state;
	struct fixture f = start(growing, 0.5, 1e-6);
	uint64_t end = clock_ns() + WAIT_NS;
	while ((stats(&f).skipped < 20 || stats(&f).interval_ms <= 0.6) && clock_ns() < end)
		usleep(1000);
	engine_stop(f.engine);
	drain(&f);
	struct engine_stats s = stats(&f);
	assert_true(s.skipped >= 20);
	assert_true(s.stops <= 5);
	assert_true(s.interval_ms > 0.6);
	check_untouched(&f);
	finish(&f);
}

static void it_ends(void **state)
{
	(void)state;
	struct fixture f = start(growing, 0.5, 1);
	await_samples(&f, 3);
	forked_kill(&f.child); /* at any moment of a look */
	uint64_t looks, before = UINT64_MAX;
	for (int i = 0; i < 500 && (looks = stats(&f).looks) != before; i++) {
		before = looks; /* the last look may still be on its way */
		usleep(20000);
		drain(&f);
	}
	assert_int_equal(looks, before); /* then there is nothing to see any more */
	assert_false(process_alive(f.process));
	finish(&f);
}

/* Its end is no stop, no zombie, no fall of RSS to 0. */
static void no_reading_of_zero(void **state)
{
	(void)state;
	struct fixture f = start(growing, 0.5, 1);
	struct engine_message m;
	uint64_t end = clock_ns() + WAIT_NS, readings = 0, last = 0;
	while (readings < 10 && clock_ns() < end) {
		usleep(500);
		readings += stats(&f).looks > last;
		last = stats(&f).looks;
	}
	assert_int_equal(readings, 10);
	forked_kill(&f.child);
	usleep(10000);
	engine_stop(f.engine);
	int seen = 0;
	uint64_t time = 0;
	while (engine_next(f.engine, &m)) {
		if (m.kind == ENGINE_SAMPLE)
			free(m.sample);
		if (m.kind != ENGINE_RSS)
			continue;
		seen++;
		assert_true(m.rss[MEM_ANON] + m.rss[MEM_FILE] + m.rss[MEM_SHMEM] > 0);
		assert_true(m.time_ns >= time);
		time = m.time_ns;
	}
	assert_true(seen > 0);
	finish(&f);
}

static void an_ended_process(void **state)
{
	(void)state;
	struct err e = {""};
	struct engine_config c = {.interval_ms = 1, .overhead = 1};
	struct forked child = forked_start(forked_sleep, NULL);
	forked_wait_for(&child);
	struct process *p = process_open(child.pid, &e);
	assert_non_null(p);
	forked_kill(&child);
	assert_null(engine_start(&engine_stops, p, &c, &e));
	assert_non_null(strstr(e.text, "can't read the memory counters"));
	process_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_growing_child),    cmocka_unit_test(the_thread_that_grows),
	        cmocka_unit_test(an_idle_child),      cmocka_unit_test(a_spinning_child),
	        cmocka_unit_test(a_small_budget),     cmocka_unit_test(it_ends),
	        cmocka_unit_test(no_reading_of_zero), cmocka_unit_test(an_ended_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
