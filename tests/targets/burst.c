/* SPDX-License-Identifier: MIT */
/* burst [SECONDS [DELAY [BURST_MS]]]: three functions touch memory in the ratio 600:300:180, in
 * bursts of BURST_MS (2), between computing and sleeping. A quarter of the time is growing; a
 * sampler that comes after the burst blames compute_* or the sleep. */
#include "truth.h"

#include <stdlib.h>

#define RATE 54.0 /* MB/s over all */

static struct arena arenas[3];

TRUTH_FRAME void burst_index(size_t pages, uint64_t ns);
TRUTH_FRAME void burst_cache(size_t pages, uint64_t ns);
TRUTH_FRAME void burst_log(size_t pages, uint64_t ns);
TRUTH_FRAME void compute_scores(uint64_t until);
TRUTH_FRAME void compute_digest(uint64_t until);

void burst_index(size_t pages, uint64_t ns)
{
	arena_grow(&arenas[0], pages, ns);
	TRUTH_KEEP();
}

void burst_cache(size_t pages, uint64_t ns)
{
	arena_grow(&arenas[1], pages, ns);
	TRUTH_KEEP();
}

void burst_log(size_t pages, uint64_t ns)
{
	arena_grow(&arenas[2], pages, ns);
	TRUTH_KEEP();
}

void compute_scores(uint64_t until)
{
	truth_spin_until(until);
	TRUTH_KEEP();
}

void compute_digest(uint64_t until)
{
	truth_spin_until(until);
	TRUTH_KEEP();
}

/* The one that is most behind its share. */
static int next_function(void)
{
	static const double share[3] = {600, 300, 180};
	int best = 0;

	for (int i = 1; i < 3; i++)
		if ((double)arenas[i].used / share[i] < (double)arenas[best].used / share[best])
			best = i;
	return best;
}

int main(int argc, char **argv)
{
	static void (*const grow[3])(size_t, uint64_t) = {burst_index, burst_cache, burst_log};
	struct truth_args args = truth_begin(argc, argv);
	double ms = strtod(truth_text(&args, 0, "2"), NULL);
	uint64_t burst_ns, end;
	size_t pages;

	if (!(ms >= 0.05 && ms <= 1000))
		truth_die("BURST_MS is from 0.05 to 1000");
	burst_ns = (uint64_t)(ms * 1e6);
	pages = arena_pages(RATE, burst_ns * 4);
	arena_open(&arenas[0], "burst_index", arena_room(&args, RATE * 600 / 1080));
	arena_open(&arenas[1], "burst_cache", arena_room(&args, RATE * 300 / 1080));
	arena_open(&arenas[2], "burst_log", arena_room(&args, RATE * 180 / 1080));
	end = truth_ready(&args);
	while (truth_now() < end) {
		grow[next_function()](pages, burst_ns);
		compute_scores(truth_now() + burst_ns);
		truth_sleep(burst_ns);
		compute_digest(truth_now() + burst_ns);
	}
	return truth_end();
}
