/* SPDX-License-Identifier: MIT */
#include "../target/forked.h"

#include "base/clock.h"
#include "engine/threads.h"
#include "target/process.h"

#include <pthread.h>
#include <sys/syscall.h>

#define MAX_THREADS 64

/* What a child's threads are told, and what they say. */
struct shared {
	int n;
	volatile pid_t tids[MAX_THREADS];
	volatile uint64_t order[MAX_THREADS]; /* pages to touch, all in all */
	volatile uint64_t touched[MAX_THREADS];
	volatile int end[MAX_THREADS];
};

static struct shared *board;

/* Touches fresh pages when it is told to; sleeps otherwise. */
static void *worker(void *arg)
{
	size_t i = (size_t)(uintptr_t)arg, page = 4096, len = 4096 * page;
	char name[16];
	snprintf(name, sizeof name, "w)\n%zu", i);
	prctl(PR_SET_NAME, name);
	char *m = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		_exit(1);
	madvise(m, len, MADV_NOHUGEPAGE);
	m[len - 1] = 1;
	board->tids[i] = (pid_t)syscall(SYS_gettid);
	while (!board->end[i]) {
		while (board->touched[i] < board->order[i]) {
			m[board->touched[i] * page] = 1;
			board->touched[i]++;
		}
		usleep(300);
	}
	return NULL;
}

static void body(int says, int hears, void *arg)
{
	board = arg;
	prctl(PR_SET_TIMERSLACK, 1);
	for (int i = 0; i < board->n; i++) {
		pthread_t t;
		if (pthread_create(&t, NULL, worker, (void *)(uintptr_t)i) != 0)
			_exit(1);
	}
	for (int i = 0; i < board->n; i++)
		while (!board->tids[i])
			usleep(100);
	forked_sleep(says, hears, NULL);
}

struct fixture {
	struct forked child;
	struct process *process;
	struct threads *threads;
};

static struct fixture start(int n)
{
	struct fixture f = {0};
	board = forked_shared(sizeof *board);
	board->n = n;
	f.child = forked_start(body, board);
	forked_wait_for(&f.child);
	forked_await(f.child.pid, f.child.pid, 'S');
	f.process = process_open(f.child.pid, NULL);
	assert_non_null(f.process);
	f.threads = threads_new(f.process, rng_seeded(13));
	assert_non_null(f.threads);
	return f;
}

static void finish(struct fixture *f)
{
	threads_free(f->threads);
	process_free(f->process);
	if (f->child.pid)
		forked_kill(&f->child);
	munmap(board, sizeof *board);
}

static void touch(int i, uint64_t pages)
{
	board->order[i] += pages;
	for (int k = 0; k < 20000 && board->touched[i] < board->order[i]; k++)
		usleep(200);
	assert_int_equal(board->touched[i], board->order[i]);
}

static void scan(struct fixture *f)
{
	for (int i = 0; i < 20000; i++) {
		if (threads_scan(f->threads))
			return;
		usleep(500);
	}
	fail_msg("a scan is never allowed");
}

/* Waits until it sees no active thread: they are dropped after a while without faults. */
static size_t settle(struct fixture *f)
{
	struct watched w[THREADS_WATCHED];
	double share;
	for (int i = 0; i < 1000 && threads_active(f->threads) > 0; i++) {
		size_t n = threads_watch(f->threads, w, &share);
		threads_reread(f->threads, w, n);
	}
	return threads_active(f->threads);
}

static const struct watched *find(const struct watched *w, size_t n, pid_t tid)
{
	for (size_t i = 0; i < n; i++)
		if (w[i].tid == tid)
			return &w[i];
	return NULL;
}

static void finds_who_faults(void **state)
{
	(void)state;
	struct fixture f = start(4);
	assert_int_equal(threads_count(f.threads), 5);
	scan(&f);
	assert_int_equal(settle(&f), 0);
	touch(2, 10);
	scan(&f);
	struct watched w[THREADS_WATCHED];
	double share = 0;
	size_t n = threads_watch(f.threads, w, &share);
	assert_true(share >= 1);
	const struct watched *two = find(w, n, board->tids[2]);
	assert_non_null(two);
	assert_string_equal(two->comm, "w)\n2");
	assert_null(find(w, n, board->tids[1]));
	assert_null(find(w, n, f.child.pid));
	touch(2, 100);
	touch(1, 50); /* not watched: nobody may be blamed for it */
	threads_reread(f.threads, w, n);
	two = find(w, n, board->tids[2]);
	assert_in_range(two->delta, 100, 140); /* some more for its own stack and shared page */
	assert_true(two->state == 'S' || two->state == 'R' || two->state == 'D');
	scan(&f);
	n = threads_watch(f.threads, w, &share);
	assert_non_null(find(w, n, board->tids[1]));
	assert_non_null(find(w, n, board->tids[2]));
	threads_reread(f.threads, w, n);
	assert_in_range(find(w, n, board->tids[1])->delta, 0, 5);
	finish(&f);
}

static void deltas_add_up(void **state)
{
	(void)state;
	struct fixture f = start(3);
	for (int i = 0; i < 3; i++)
		touch(i, 1);
	scan(&f);
	uint64_t seen[3] = {0};
	for (int round = 0; round < 20; round++) {
		struct watched w[THREADS_WATCHED];
		double share;
		size_t n = threads_watch(f.threads, w, &share);
		for (int i = 0; i < 3; i++)
			touch(i, (uint64_t)(i + 1) * 5);
		threads_reread(f.threads, w, n);
		for (int i = 0; i < 3; i++) {
			const struct watched *t = find(w, n, board->tids[i]);
			assert_non_null(t);
			seen[i] += t->delta;
		}
	}
	for (uint64_t i = 0; i < 3; i++)
		assert_in_range(seen[i], 20 * (i + 1) * 5, 20 * (i + 1) * 5 + 60);
	finish(&f);
}

static void idle_ones_are_dropped(void **state)
{
	(void)state;
	struct fixture f = start(2);
	touch(0, 5);
	touch(1, 5);
	scan(&f);
	assert_true(threads_active(f.threads) >= 2);
	struct watched w[THREADS_WATCHED];
	double share;
	for (int i = 0; i < 400; i++) {
		size_t n = threads_watch(f.threads, w, &share);
		if (i % 50 == 0)
			touch(1, 1);
		threads_reread(f.threads, w, n);
	}
	size_t n = threads_watch(f.threads, w, &share);
	assert_null(find(w, n, board->tids[0]));
	assert_non_null(find(w, n, board->tids[1]));
	touch(0, 3);
	scan(&f); /* and comes back */
	n = threads_watch(f.threads, w, &share);
	assert_non_null(find(w, n, board->tids[0]));
	finish(&f);
}

static void a_random_choice_of_many(void **state)
{
	(void)state;
	enum { N = 40 };
	struct fixture f = start(N);
	assert_int_equal(threads_count(f.threads), N + 1);
	for (int i = 0; i < N; i++)
		board->order[i]++;
	for (int i = 0; i < N; i++)
		touch(i, 1);
	scan(&f);
	size_t active = threads_active(f.threads);
	assert_in_range(active, N, N + 1);
	int chosen[N] = {0};
	for (int round = 0; round < 200; round++) {
		struct watched w[THREADS_WATCHED];
		double share;
		size_t n = threads_watch(f.threads, w, &share);
		assert_int_equal(n, THREADS_WATCHED);
		assert_true(share > 0 && share < 1);
		assert_true(share * (double)active > THREADS_WATCHED - 0.01 &&
		            share * (double)active < THREADS_WATCHED + 0.01);
		for (size_t i = 0; i < n; i++)
			assert_ptr_equal(find(w, n, w[i].tid), &w[i]); /* none twice */
		for (int i = 0; i < N; i++)
			chosen[i] += find(w, n, board->tids[i]) != NULL;
		threads_reread(f.threads, w, n);
	}
	for (int i = 0; i < N; i++) /* 80 times each, give or take 7 */
		assert_in_range(chosen[i], 40, 120);
	finish(&f);
}

static void ended_threads(void **state)
{
	(void)state;
	struct fixture f = start(3);
	for (int i = 0; i < 3; i++)
		touch(i, 2);
	scan(&f);
	struct watched w[THREADS_WATCHED];
	double share;
	size_t n = threads_watch(f.threads, w, &share);
	pid_t ended = board->tids[1];
	assert_non_null(find(w, n, ended));
	board->end[1] = 1;
	for (int i = 0; i < 20000 && forked_state(f.child.pid, ended) != '\0'; i++)
		usleep(500);
	touch(0, 7);
	threads_reread(f.threads, w, n);
	assert_int_equal(find(w, n, ended)->state, 0);
	assert_int_equal(find(w, n, ended)->delta, 0);
	assert_in_range(find(w, n, board->tids[0])->delta, 7, 12);
	n = threads_watch(f.threads, w, &share);
	assert_null(find(w, n, ended));
	assert_non_null(find(w, n, board->tids[0]));
	assert_non_null(find(w, n, board->tids[2]));
	threads_reread(f.threads, w, n);
	scan(&f);
	assert_int_equal(threads_count(f.threads), 3);
	finish(&f);
}

static void ended_process(void **state)
{
	(void)state;
	struct fixture f = start(2);
	touch(0, 2);
	scan(&f);
	struct watched w[THREADS_WATCHED];
	double share;
	size_t n = threads_watch(f.threads, w, &share);
	assert_true(n > 0);
	forked_kill(&f.child);
	threads_reread(f.threads, w, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(w[i].state, 0);
		assert_int_equal(w[i].delta, 0);
	}
	assert_int_equal(threads_watch(f.threads, w, &share), 0);
	assert_int_equal(threads_active(f.threads), 0);
	usleep(10000);
	threads_scan(f.threads);
	assert_int_equal(threads_active(f.threads), 0);
	finish(&f);
	threads_free(NULL);
}

/* At most 1 % of the time, and not within 5 ms. */
static void scans_are_rare(void **state)
{
	(void)state;
	struct fixture f = start(2);
	uint64_t last = 0;
	int taken = 0;
	for (int i = 0; i < 50000 && taken < 3; i++) {
		uint64_t begin = clock_ns();
		bool scanned = threads_scan(f.threads);
		uint64_t end = clock_ns();
		if (scanned && last > 0)
			assert_true(end - last >= 5 * NS_PER_MS);
		if (scanned)
			last = begin;
		taken += scanned;
		usleep(200);
	}
	assert_int_equal(taken, 3);
	finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(finds_who_faults),      cmocka_unit_test(deltas_add_up),
	        cmocka_unit_test(idle_ones_are_dropped), cmocka_unit_test(a_random_choice_of_many),
	        cmocka_unit_test(ended_threads),         cmocka_unit_test(ended_process),
	        cmocka_unit_test(scans_are_rare),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
