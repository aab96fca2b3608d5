/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/out.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- an engine that does what a test says ---- */

struct engine_impl {
	struct engine_out *out;
	const struct engine_config *config;
};

static struct {
	void (*run)(struct engine_out *out);
	struct engine_out *out;
	int opened, closed;
	bool refuse;
	atomic_bool done; /* run has got to its end */
} fake;

static struct engine_impl *fake_open(const struct process *p, const struct engine_config *c,
                                     struct engine_out *out, struct err *e)
{
	(void)p;
	if (fake.refuse) {
		err_set(e, "refused");
		return NULL;
	}
	struct engine_impl *impl = mem_alloc(sizeof *impl);
	impl->out = fake.out = out;
	impl->config = c;
	fake.opened++;
	return impl;
}

static void fake_run(struct engine_impl *impl)
{
	if (fake.run)
		fake.run(impl->out);
	atomic_store(&fake.done, true);
	while (engine_out_wait(impl->out, UINT64_MAX))
		;
}

static void fake_close(struct engine_impl *impl)
{
	fake.closed++;
	free(impl);
}

static const struct engine_ops ops = {
        .name = "fake", .open = fake_open, .run = fake_run, .close = fake_close};

static struct engine *start(void (*run)(struct engine_out *out))
{
	static const struct engine_config config = {.interval_ms = 7, .overhead = 0.01};
	struct err e = {""};
	memset(&fake, 0, sizeof fake);
	fake.run = run;
	alarm(60);
	struct engine *engine = engine_start(&ops, NULL, &config, &e);
	if (!engine)
		fail_msg("%s", e.text);
	return engine;
}

static void wait_done(void)
{
	while (!atomic_load(&fake.done))
		usleep(200);
}

static struct engine_message rss_message(uint64_t i)
{
	return (struct engine_message){.kind = ENGINE_RSS, .time_ns = i, .rss = {i, i + 1, i + 2}};
}

static struct engine_message sample_message(uint64_t i, size_t stack_len)
{
	struct sample *s = mem_alloc(sizeof *s + stack_len);
	s->time_ns = i;
	s->stack_len = stack_len;
	return (struct engine_message){.kind = ENGINE_SAMPLE, .time_ns = i, .sample = s};
}

static void put(struct engine_out *o, struct engine_message m)
{
	engine_out_put(o, &m);
}

/* ---- life ---- */

static void starts_and_ends(void **state)
{
	(void)state;
	struct engine *e = start(NULL);
	struct engine_message m;
	assert_int_equal(fake.opened, 1);
	assert_false(engine_next(e, &m));
	engine_stop(e);
	engine_stop(e); /* twice is once */
	assert_true(atomic_load(&fake.done));
	assert_int_equal(fake.closed, 0);
	assert_false(engine_next(e, &m));
	engine_free(e);
	assert_int_equal(fake.closed, 1);
	engine_free(NULL);
}

static void free_stops_it(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		struct engine *e = start(NULL);
		engine_free(e);
		assert_true(atomic_load(&fake.done));
		assert_int_equal(fake.closed, 1);
	}
}

static void refused(void **state)
{
	(void)state;
	struct engine_config config = {.interval_ms = 7};
	struct err e = {""};
	memset(&fake, 0, sizeof fake);
	fake.refuse = true;
	int before = dup(0);
	close(before);
	assert_null(engine_start(&ops, NULL, &config, &e));
	assert_string_equal(e.text, "refused");
	assert_int_equal(fake.closed, 0); /* what was not opened isn't closed */
	int after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

static void runs_blocked(struct engine_out *o)
{
	sigset_t mask;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	put(o, rss_message(sigismember(&mask, SIGINT) && sigismember(&mask, SIGCHLD) &&
	                   sigismember(&mask, SIGTERM)));
}

static void signals_are_for_others(void **state)
{
	(void)state;
	sigset_t before, after;
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	struct engine *e = start(runs_blocked);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	assert_int_equal(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
	assert_int_equal(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
	wait_done();
	struct engine_message m;
	assert_true(engine_next(e, &m));
	assert_int_equal(m.time_ns, 1);
	engine_free(e);
}

/* ---- waiting ---- */

static void waits_a_little(struct engine_out *o)
{
	uint64_t begin = clock_ns();
	bool on = engine_out_wait(o, begin + 3 * NS_PER_MS);
	put(o, rss_message(on ? clock_ns() - begin : 0));
	begin = clock_ns();
	on = engine_out_wait(o, 0); /* long ago: at once */
	put(o, rss_message(on ? 1 : 0));
}

static void waits_until(void **state)
{
	(void)state;
	struct engine *e = start(waits_a_little);
	wait_done();
	struct engine_message m;
	assert_true(engine_next(e, &m));
	assert_true(m.time_ns >= 3 * NS_PER_MS);
	assert_true(engine_next(e, &m));
	assert_int_equal(m.time_ns, 1);
	engine_free(e);
}

static void waits_for_ever(struct engine_out *o)
{
	bool on = engine_out_wait(o, clock_ns() + 3600 * NS_PER_S);
	put(o, rss_message(on ? 1 : 0));
	on = engine_out_wait(o, 0); /* once it shall end, it shall end */
	put(o, rss_message(on ? 1 : 0));
}

static void stop_ends_a_wait(void **state)
{
	(void)state;
	struct engine *e = start(waits_for_ever);
	struct engine_message m;
	usleep(2000);
	engine_stop(e);                  /* or alarm() ends the test */
	assert_true(engine_next(e, &m)); /* still readable */
	assert_int_equal(m.time_ns, 0);
	assert_true(engine_next(e, &m));
	assert_int_equal(m.time_ns, 0);
	engine_free(e);
}

/* ---- the queue ---- */

static void put_three(struct engine_out *o)
{
	put(o, rss_message(5));
	put(o, (struct engine_message){
	               .kind = ENGINE_MISSED, .time_ns = 6, .missed = {1.5, 2.5, 3.5}});
	struct engine_message m = sample_message(7, 3);
	memcpy(m.sample->stack, "abc", 3);
	put(o, m);
}

static void messages_arrive_as_they_were(void **state)
{
	(void)state;
	struct engine *e = start(put_three);
	struct engine_message m;
	struct engine_stats s;
	wait_done();
	assert_true(engine_next(e, &m));
	assert_int_equal(m.kind, ENGINE_RSS);
	assert_int_equal(m.rss[MEM_ANON], 5);
	assert_int_equal(m.rss[MEM_SHMEM], 7);
	assert_true(engine_next(e, &m));
	assert_int_equal(m.kind, ENGINE_MISSED);
	assert_true(m.missed[MEM_FILE] > 2.4 && m.missed[MEM_FILE] < 2.6);
	assert_true(engine_next(e, &m));
	assert_int_equal(m.kind, ENGINE_SAMPLE);
	assert_int_equal(m.sample->stack_len, 3);
	assert_memory_equal(m.sample->stack, "abc", 3);
	free(m.sample);
	assert_false(engine_next(e, &m));
	engine_get_stats(e, &s);
	assert_int_equal(s.samples, 1);
	assert_int_equal(s.lost, 0);
	assert_true(s.interval_ms > 6.9 && s.interval_ms < 7.1);
	engine_free(e);
}

#define MANY 200000

static void put_many(struct engine_out *o)
{
	for (uint64_t i = 0; i < MANY; i++) {
		for (bool full = true; full;) { /* the test reads: none is to be lost here */
			pthread_mutex_lock(&o->lock);
			full = o->len >= ENGINE_QUEUE;
			pthread_mutex_unlock(&o->lock);
			if (full && !engine_out_wait(o, clock_ns() + 100 * NS_PER_US))
				return;
		}
		put(o, i % 3 ? rss_message(i) : sample_message(i, i % 100));
	}
}

/* Many times around the ring, with a reader beside it. */
static void order_is_kept(void **state)
{
	(void)state;
	struct engine *e = start(put_many);
	struct engine_message m;
	for (uint64_t i = 0; i < MANY;) {
		if (!engine_next(e, &m)) {
			usleep(100);
			continue;
		}
		assert_int_equal(m.time_ns, i);
		assert_int_equal(m.kind, i % 3 ? ENGINE_RSS : ENGINE_SAMPLE);
		if (m.kind == ENGINE_SAMPLE) {
			assert_int_equal(m.sample->stack_len, i % 100);
			free(m.sample);
		}
		i++;
	}
	assert_false(engine_next(e, &m));
	struct engine_stats s;
	engine_get_stats(e, &s);
	assert_int_equal(s.samples, (MANY + 2) / 3);
	assert_int_equal(s.lost, 0);
	assert_int_equal(fake.out->bytes, 0);
	engine_free(e);
}

static void put_too_many(struct engine_out *o)
{
	for (uint64_t i = 0; i < ENGINE_QUEUE + 500; i++)
		put(o, i % 2 ? rss_message(i) : sample_message(i, 10));
}

static void full_queue_loses_the_newest(void **state)
{
	(void)state;
	struct engine *e = start(put_too_many);
	struct engine_message m;
	struct engine_stats s;
	wait_done();
	engine_get_stats(e, &s);
	assert_int_equal(s.samples, ENGINE_QUEUE / 2);
	assert_int_equal(s.lost, 250);
	for (uint64_t i = 0; i < ENGINE_QUEUE; i++) {
		assert_true(engine_next(e, &m));
		assert_int_equal(m.time_ns, i);
		if (m.kind == ENGINE_SAMPLE)
			free(m.sample);
	}
	assert_false(engine_next(e, &m));
	engine_free(e);
}

#define LARGE (1 << 20)

static void put_large(struct engine_out *o)
{
	for (uint64_t i = 0; i < 100; i++)
		put(o, sample_message(i, LARGE));
	put(o, rss_message(100)); /* these need no room */
}

static void bytes_are_bounded(void **state)
{
	(void)state;
	struct engine *e = start(put_large);
	struct engine_message m;
	struct engine_stats s;
	wait_done();
	size_t fit = ENGINE_QUEUE_BYTES / (sizeof(struct sample) + LARGE);
	engine_get_stats(e, &s);
	assert_int_equal(s.samples, fit);
	assert_int_equal(s.lost, 100 - fit);
	assert_true(fake.out->bytes <= ENGINE_QUEUE_BYTES);
	for (size_t i = 0; i < fit; i++) {
		assert_true(engine_next(e, &m));
		assert_int_equal(m.kind, ENGINE_SAMPLE);
		free(m.sample);
	}
	assert_int_equal(fake.out->bytes, 0);
	assert_true(engine_next(e, &m));
	assert_int_equal(m.time_ns, 100);
	put(fake.out, sample_message(101, LARGE)); /* there is room again */
	assert_true(engine_next(e, &m));
	assert_int_equal(m.time_ns, 101);
	free(m.sample);
	engine_free(e);
}

/* What nobody takes is freed with it: a leak checker tells. */
static void left_samples_are_freed(void **state)
{
	(void)state;
	struct engine *e = start(put_too_many);
	wait_done();
	engine_free(e);
	assert_int_equal(fake.closed, 1);
}

/* ---- the rest ---- */

static void stack_wishes(void **state)
{
	(void)state;
	static const uint64_t wishes[][2] = {
	        {0, ENGINE_STACK_MIN},
	        {1, ENGINE_STACK_MIN},
	        {ENGINE_STACK_MIN, ENGINE_STACK_MIN},
	        {ENGINE_STACK_MIN + 1, 2 * ENGINE_STACK_MIN},
	        {100, 2 * ENGINE_STACK_MIN}, /* never smaller again */
	        {4 * ENGINE_STACK_MIN - 1, 4 * ENGINE_STACK_MIN},
	        {ENGINE_STACK_MAX, ENGINE_STACK_MAX},
	        {ENGINE_STACK_MAX + UINT64_C(1), ENGINE_STACK_MAX},
	        {UINT64_MAX, ENGINE_STACK_MAX},
	};
	struct engine *e = start(NULL);
	assert_int_equal(atomic_load(&fake.out->stack), ENGINE_STACK_MIN);
	for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
		engine_want_stack(e, wishes[i][0]);
		assert_int_equal(atomic_load(&fake.out->stack), wishes[i][1]);
	}
	engine_free(e);
}

static void count(struct engine_out *o)
{
	for (int i = 0; i < 1000; i++)
		ENGINE_COUNT(o, looks);
	ENGINE_SET(o, dozed, 42);
}

static void counters(void **state)
{
	(void)state;
	struct engine *e = start(count);
	struct engine_stats s;
	wait_done();
	engine_get_stats(e, &s);
	assert_int_equal(s.looks, 1000);
	assert_int_equal(s.dozed, 42);
	assert_int_equal(s.grew + s.stops + s.late + s.failed + s.skipped + s.asleep, 0);
	engine_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(starts_and_ends),
	        cmocka_unit_test(free_stops_it),
	        cmocka_unit_test(refused),
	        cmocka_unit_test(signals_are_for_others),
	        cmocka_unit_test(waits_until),
	        cmocka_unit_test(stop_ends_a_wait),
	        cmocka_unit_test(messages_arrive_as_they_were),
	        cmocka_unit_test(order_is_kept),
	        cmocka_unit_test(full_queue_loses_the_newest),
	        cmocka_unit_test(bytes_are_bounded),
	        cmocka_unit_test(left_samples_are_freed),
	        cmocka_unit_test(stack_wishes),
	        cmocka_unit_test(counters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
