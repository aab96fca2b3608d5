/* SPDX-License-Identifier: MIT */
/* deep [SECONDS [DELAY [FRAMES]]]: grows in the leaf of a recursion of FRAMES (200) frames,
 * and, half as much, near the surface. */
#include "truth.h"

#define LEAF    24.0 /* MB/s */
#define SURFACE 12.0

static struct arena leaf, surface;
static size_t leaf_pages, surface_pages;

TRUTH_FRAME void grow_leaf(size_t pages, uint64_t ns);
TRUTH_FRAME void grow_surface(size_t pages, uint64_t ns);
TRUTH_FRAME int descend_odd(long frames, size_t pages);
TRUTH_FRAME int descend_even(long frames, size_t pages);

void grow_leaf(size_t pages, uint64_t ns)
{
	if (pages > 0)
		arena_grow(&leaf, pages, ns);
	TRUTH_KEEP();
}

void grow_surface(size_t pages, uint64_t ns)
{
	arena_grow(&surface, pages, ns);
	TRUTH_KEEP();
}

int descend_even(long frames, size_t pages)
{
	int below = 0;

	if (frames <= 1)
		grow_leaf(pages, 3 * TRUTH_MS);
	else
		below = descend_odd(frames - 1, pages);
	TRUTH_KEEP();
	return below + 1;
}

int descend_odd(long frames, size_t pages)
{
	volatile char pad[40]; /* frames of another size */
	int below = 0;

	pad[0] = (char)frames;
	if (frames <= 1)
		grow_leaf(pages, 3 * TRUTH_MS);
	else
		below = descend_even(frames - 1, pages);
	TRUTH_KEEP();
	return below + pad[0] - (char)frames + 1;
}

int main(int argc, char **argv)
{
	struct truth_args args = truth_begin(argc, argv);
	long frames = truth_number(&args, 0, 200);
	uint64_t end;

	if (frames < 1 || frames > 40000)
		truth_die("FRAMES is from 1 to 40000");
	leaf_pages = arena_pages(LEAF, 6 * TRUTH_MS);
	surface_pages = arena_pages(SURFACE, 6 * TRUTH_MS);
	arena_open(&leaf, "grow_leaf", arena_room(&args, LEAF));
	arena_open(&surface, "grow_surface", arena_room(&args, SURFACE));
	descend_even(frames, 0); /* the stack itself becomes resident here */
	end = truth_ready(&args);
	while (truth_now() < end) {
		if (descend_even(frames, leaf_pages) != frames)
			truth_die("it did not go as deep as that");
		grow_surface(surface_pages, 3 * TRUTH_MS);
	}
	return truth_end();
}
