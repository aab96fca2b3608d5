/* SPDX-License-Identifier: MIT */
/* exit_early [SECONDS [DELAY [STATUS|sigN]]]: grows for SECONDS, then ends at once, with that exit
 * status or by that signal. */
#define _GNU_SOURCE
#include "truth.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define RATE 40.0 /* MB/s */

TRUTH_FRAME void grow_briefly(size_t pages, uint64_t ns);

static struct arena arena;

void grow_briefly(size_t pages, uint64_t ns)
{
	arena_grow(&arena, pages, ns);
	TRUTH_KEEP();
}

int main(int argc, char **argv)
{
	struct truth_args args = truth_begin(argc, argv);
	const char *how = truth_text(&args, 0, "0");
	uint64_t end;
	int bad;

	arena_open(&arena, "grow_briefly", arena_room(&args, RATE));
	end = truth_ready(&args);
	while (truth_now() < end)
		grow_briefly(arena_pages(RATE, 2 * TRUTH_MS), 2 * TRUTH_MS);
	bad = truth_end_now();
	if (bad != 0)
		return bad;
	if (strncmp(how, "sig", 3) == 0) {
		prctl(PR_SET_DUMPABLE, 0); /* no core file */
		raise(atoi(how + 3));
	}
	return atoi(how);
}
