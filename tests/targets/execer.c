/* SPDX-License-Identifier: MIT */
/* execer [SECONDS [DELAY]]: grows through one function for half of the time, says so, and then
 * execs itself and grows through another one. */
#define _GNU_SOURCE
#include "truth.h"

#include <string.h>
#include <unistd.h>

#define RATE 30.0 /* MB/s */

TRUTH_FRAME void first_life(size_t pages, uint64_t ns);
TRUTH_FRAME void second_life(size_t pages, uint64_t ns);

static struct arena arena;

void first_life(size_t pages, uint64_t ns)
{
	arena_grow(&arena, pages, ns);
	TRUTH_KEEP();
}

void second_life(size_t pages, uint64_t ns)
{
	arena_grow(&arena, pages, ns);
	TRUTH_KEEP();
}

static void live(void (*grow)(size_t, uint64_t), uint64_t ns)
{
	uint64_t end = truth_now() + ns;

	while (truth_now() < end) {
		grow(arena_pages(RATE, 4 * TRUTH_MS), 2 * TRUTH_MS);
		truth_sleep(2 * TRUTH_MS);
	}
}

int main(int argc, char **argv)
{
	struct truth_args args = truth_begin(argc, argv);
	static char again[] = "again";
	char exe[4096];
	ssize_t n;

	if (strcmp(truth_text(&args, 0, ""), again) == 0) {
		arena_open(&arena, "second_life", arena_room(&args, RATE));
		truth_sleep(TRUTH_SEC / 4);
		live(second_life, args.grow_ns / 2);
		truth_sleep(TRUTH_SEC);
		return truth_end_now();
	}
	if (argc < 3)
		truth_die("needs SECONDS and DELAY");
	arena_open(&arena, "first_life", arena_room(&args, RATE));
	truth_ready(&args);
	live(first_life, args.grow_ns / 2);
	truth_sleep(TRUTH_SEC / 4);
	if (truth_end_now() != 0)
		return 3;
	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n <= 0)
		truth_die("no /proc/self/exe");
	exe[n] = '\0';
	execl(exe, argv[0], argv[1], argv[2], again, (char *)NULL);
	truth_die("exec failed");
}
