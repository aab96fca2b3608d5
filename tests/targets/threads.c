/* SPDX-License-Identifier: MIT */
/* threads [SECONDS [DELAY [COUNT]]]: COUNT (64) threads. Three of them grow, at different speeds,
 * through different functions; the others sleep in epoll_wait, on a futex, or in nanosleep. */
#define _GNU_SOURCE
#include "truth.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define GROWERS 3

TRUTH_FRAME void grow_quick(size_t pages, uint64_t ns);
TRUTH_FRAME void grow_medium(size_t pages, uint64_t ns);
TRUTH_FRAME void grow_lazy(size_t pages, uint64_t ns);
TRUTH_FRAME void sleep_epoll(void);
TRUTH_FRAME void sleep_futex(void);
TRUTH_FRAME void sleep_timer(void);

static struct arena arenas[GROWERS];
static const double rates[GROWERS] = {24, 12, 4}; /* MB/s */
static uint64_t end;
static atomic_bool go, over;
static int epoll_fd, event_fd;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

void grow_quick(size_t pages, uint64_t ns)
{
	arena_grow(&arenas[0], pages, ns);
	TRUTH_KEEP();
}

void grow_medium(size_t pages, uint64_t ns)
{
	arena_grow(&arenas[1], pages, ns);
	TRUTH_KEEP();
}

void grow_lazy(size_t pages, uint64_t ns)
{
	arena_grow(&arenas[2], pages, ns);
	TRUTH_KEEP();
}

static void *grower(void *arg)
{
	static void (*const grow[GROWERS])(size_t, uint64_t) = {grow_quick, grow_medium, grow_lazy};
	int which = (int)(intptr_t)arg;
	size_t pages = arena_pages(rates[which], 3 * TRUTH_MS);

	while (!atomic_load(&go))
		truth_sleep(TRUTH_MS);
	while (truth_now() < end) {
		grow[which](pages, TRUTH_MS);
		truth_sleep(2 * TRUTH_MS);
	}
	return NULL;
}

void sleep_epoll(void)
{
	struct epoll_event ev;

	while (!atomic_load(&over))
		epoll_wait(epoll_fd, &ev, 1, -1);
}

void sleep_futex(void)
{
	pthread_mutex_lock(&mutex);
	while (!atomic_load(&over))
		pthread_cond_wait(&cond, &mutex);
	pthread_mutex_unlock(&mutex);
}

void sleep_timer(void)
{
	while (!atomic_load(&over))
		truth_sleep(TRUTH_SEC / 2);
}

static void *sleeper(void *arg)
{
	static void (*const how[3])(void) = {sleep_epoll, sleep_futex, sleep_timer};

	how[(intptr_t)arg % 3]();
	return NULL;
}

static pthread_t start(void *(*run)(void *), int arg)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128u * 1024);
	if (pthread_create(&t, &attr, run, (void *)(intptr_t)arg) != 0)
		truth_die("no thread");
	pthread_attr_destroy(&attr);
	return t;
}

static void open_sleepers(void)
{
	struct epoll_event ev = {.events = EPOLLIN};

	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	event_fd = eventfd(0, EFD_CLOEXEC);
	if (epoll_fd < 0 || event_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event_fd, &ev) != 0)
		truth_die("no epoll");
}

static void wake_sleepers(void)
{
	const uint64_t one = 1;

	atomic_store(&over, true);
	if (write(event_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		truth_die("eventfd");
	pthread_mutex_lock(&mutex);
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mutex);
}

int main(int argc, char **argv)
{
	static const char *const names[GROWERS] = {"grow_quick", "grow_medium", "grow_lazy"};
	struct truth_args args = truth_begin(argc, argv);
	int count = (int)truth_number(&args, 0, 64), status;
	pthread_t *threads;

	if (count < GROWERS || count > 10000)
		truth_die("COUNT is from 3 to 10000");
	threads = calloc((size_t)count, sizeof(*threads));
	if (threads == NULL)
		truth_die("no memory");
	open_sleepers();
	for (int i = 0; i < GROWERS; i++)
		arena_open(&arenas[i], names[i], arena_room(&args, rates[i]));
	/* The growers are in the middle, not the first ones that anybody looks at. */
	for (int i = 0; i < count; i++) {
		int which = i - (count - GROWERS) / 2;
		bool grows = which >= 0 && which < GROWERS;

		threads[i] = start(grows ? grower : sleeper, grows ? which : i);
	}
	truth_sleep(50 * TRUTH_MS);
	end = truth_ready(&args);
	atomic_store(&go, true);
	while (truth_now() < end)
		truth_sleep(10 * TRUTH_MS);
	status = truth_end();
	wake_sleepers();
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	return status;
}
