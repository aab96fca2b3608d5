/* SPDX-License-Identifier: MIT */
/* steady2 [SECONDS [DELAY [alternating|threads]]]: two functions that grow all the time, one
 * three times as fast as the other: in turns of a millisecond in one thread, or in two threads. */
#define _GNU_SOURCE
#include "truth.h"

#include <pthread.h>
#include <string.h>

#define FAST 36.0 /* MB/s */
#define SLOW 12.0

static struct arena fast, slow;
static uint64_t end;

TRUTH_FRAME void grow_fast(size_t pages, uint64_t ns);
TRUTH_FRAME void grow_slow(size_t pages, uint64_t ns);

void grow_fast(size_t pages, uint64_t ns)
{
	arena_grow(&fast, pages, ns);
	TRUTH_KEEP();
}

void grow_slow(size_t pages, uint64_t ns)
{
	arena_grow(&slow, pages, ns);
	TRUTH_KEEP();
}

static void alternate(void)
{
	size_t f = arena_pages(FAST, 2 * TRUTH_MS), s = arena_pages(SLOW, 2 * TRUTH_MS);

	while (truth_now() < end) {
		grow_fast(f, TRUTH_MS);
		grow_slow(s, TRUTH_MS);
	}
}

/* Sleeps half of the time, so that two such threads leave a small machine some air. */
static void *fast_thread(void *unused)
{
	size_t pages = arena_pages(FAST, 2 * TRUTH_MS);

	(void)unused;
	while (truth_now() < end) {
		grow_fast(pages, TRUTH_MS);
		truth_sleep(TRUTH_MS);
	}
	return NULL;
}

static void *slow_thread(void *unused)
{
	size_t pages = arena_pages(SLOW, 2 * TRUTH_MS);

	(void)unused;
	while (truth_now() < end) {
		grow_slow(pages, TRUTH_MS);
		truth_sleep(TRUTH_MS);
	}
	return NULL;
}

static void two_threads(void)
{
	pthread_t a, b;

	if (pthread_create(&a, NULL, fast_thread, NULL) != 0 ||
	    pthread_create(&b, NULL, slow_thread, NULL) != 0)
		truth_die("no thread");
	pthread_join(a, NULL);
	pthread_join(b, NULL);
}

int main(int argc, char **argv)
{
	struct truth_args args = truth_begin(argc, argv);
	const char *how = truth_text(&args, 0, "alternating");

	arena_open(&fast, "grow_fast", arena_room(&args, FAST));
	arena_open(&slow, "grow_slow", arena_room(&args, SLOW));
	end = truth_ready(&args);
	if (strcmp(how, "threads") == 0)
		two_threads();
	else if (strcmp(how, "alternating") == 0)
		alternate();
	else
		truth_die("alternating, or threads");
	return truth_end();
}
