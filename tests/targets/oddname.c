/* SPDX-License-Identifier: MIT */
/* oddname [SECONDS [DELAY]]: a program and a thread whose names (comm) are made to harm whoever
 * prints them unchanged: separators of the folded format, newlines, terminal escapes. Both grow. */
#define _GNU_SOURCE
#include "truth.h"

#include <pthread.h>
#include <sys/prctl.h>

#define MAIN_NAME   "a;b 7\n\033[2J\007"
#define THREAD_NAME "\033]0;x\007;\n\t 9"
#define RATE        20.0 /* MB/s for each */

TRUTH_FRAME void odd_main(size_t pages, uint64_t ns);
TRUTH_FRAME void odd_thread(size_t pages, uint64_t ns);

static struct arena main_arena, thread_arena;
static uint64_t end;

void odd_main(size_t pages, uint64_t ns)
{
	arena_grow(&main_arena, pages, ns);
	TRUTH_KEEP();
}

void odd_thread(size_t pages, uint64_t ns)
{
	arena_grow(&thread_arena, pages, ns);
	TRUTH_KEEP();
}

static void *run_thread(void *unused)
{
	(void)unused;
	prctl(PR_SET_NAME, THREAD_NAME);
	while (truth_now() < end) {
		odd_thread(arena_pages(RATE, 4 * TRUTH_MS), 2 * TRUTH_MS);
		truth_sleep(2 * TRUTH_MS);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct truth_args args = truth_begin(argc, argv);
	pthread_t t;

	arena_open(&main_arena, "odd_main", arena_room(&args, RATE));
	arena_open(&thread_arena, "odd_thread", arena_room(&args, RATE));
	prctl(PR_SET_NAME, MAIN_NAME);
	end = truth_ready(&args);
	if (pthread_create(&t, NULL, run_thread, NULL) != 0)
		truth_die("no thread");
	while (truth_now() < end) {
		odd_main(arena_pages(RATE, 4 * TRUTH_MS), 2 * TRUTH_MS);
		truth_sleep(2 * TRUTH_MS);
	}
	pthread_join(t, NULL);
	return truth_end();
}
