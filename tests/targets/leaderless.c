/* SPDX-License-Identifier: MIT */
/* leaderless [SECONDS [DELAY]]: the main thread ends (it stays as a zombie), another one grows. */
#define _GNU_SOURCE
#include "truth.h"

#include <pthread.h>
#include <stdlib.h>

#define RATE 30.0 /* MB/s */

TRUTH_FRAME void grow_orphaned(size_t pages, uint64_t ns);

static struct arena arena;
static struct truth_args args;

void grow_orphaned(size_t pages, uint64_t ns)
{
	arena_grow(&arena, pages, ns);
	TRUTH_KEEP();
}

static void *run(void *unused)
{
	uint64_t end;

	(void)unused;
	truth_sleep(100 * TRUTH_MS); /* the leader is gone by then */
	end = truth_ready(&args);
	while (truth_now() < end) {
		grow_orphaned(arena_pages(RATE, 4 * TRUTH_MS), 2 * TRUTH_MS);
		truth_sleep(2 * TRUTH_MS);
	}
	exit(truth_end());
}

int main(int argc, char **argv)
{
	pthread_t t;

	args = truth_begin(argc, argv);
	arena_open(&arena, "grow_orphaned", arena_room(&args, RATE));
	if (pthread_create(&t, NULL, run, NULL) != 0)
		truth_die("no thread");
	pthread_exit(NULL);
}
