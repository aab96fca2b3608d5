/* SPDX-License-Identifier: MIT */
/* brkmmap [SECONDS [DELAY]]: malloc of small pieces grows the brk heap through one function, of
 * large ones grows mappings through another; realloc of a large piece (mremap) through a third. */
#define _GNU_SOURCE
#include "truth.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define SMALL   200u
#define LARGE   (512u * 1024)
#define LARGEST (2048u * 1024)
#define STEP    (64u * 1024)

TRUTH_FRAME void grow_brk(size_t bytes, uint64_t ns);
TRUTH_FRAME void grow_mmap(uint64_t ns);
TRUTH_FRAME void grow_mremap(uint64_t ns);

/* Everything hangs on a list, so that it is no garbage. */
struct piece {
	struct piece *next;
};

static struct piece *pieces;
static unsigned char *buffer;
static size_t buffer_size;

static void hang_up(void *p)
{
	struct piece *piece = p;

	piece->next = pieces;
	pieces = piece;
}

static void *must(void *p)
{
	if (p == NULL)
		truth_die("no memory");
	return p;
}

void grow_brk(size_t bytes, uint64_t ns)
{
	uint64_t start = truth_now();

	for (size_t done = 0; done < bytes; done += SMALL) {
		char *p = must(malloc(SMALL));

		memset(p, 1, SMALL);
		hang_up(p);
		truth_spin_until(start + ns * done / bytes);
	}
	TRUTH_KEEP();
}

/* Touched bit by bit, as a parser fills a buffer. */
void grow_mmap(uint64_t ns)
{
	uint64_t start = truth_now();
	char *p = must(malloc(LARGE));

	hang_up(p);
	for (size_t at = sizeof(struct piece); at < LARGE; at += 1024) {
		memset(p + at, 1, LARGE - at < 1024 ? LARGE - at : 1024);
		truth_spin_until(start + ns * at / LARGE);
	}
	TRUTH_KEEP();
}

void grow_mremap(uint64_t ns)
{
	uint64_t start = truth_now();

	if (buffer_size >= LARGEST) { /* kept; a new one begins */
		hang_up(buffer);
		buffer = NULL;
		buffer_size = 0;
	}
	buffer = must(realloc(buffer, buffer_size + STEP));
	for (size_t at = 0; at < STEP; at += 1024) {
		memset(buffer + buffer_size + at, 1, 1024);
		truth_spin_until(start + ns * at / STEP);
	}
	buffer_size += STEP;
	TRUTH_KEEP();
}

int main(int argc, char **argv)
{
	struct truth_args args = truth_begin(argc, argv);
	int brk_id = truth_function("grow_brk"), mmap_id = truth_function("grow_mmap");
	int mremap_id = truth_function("grow_mremap");
	uint64_t end;

	mallopt(M_MMAP_THRESHOLD, STEP);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	end = truth_ready(&args);
	for (unsigned turn = 0; truth_now() < end; turn++) {
		uint64_t before = truth_faulted();

		grow_brk(96 * 1024, 2 * TRUTH_MS); /* 10 ms in all: about 10 MB/s */
		truth_add(brk_id, truth_faulted() - before);
		truth_sleep(TRUTH_MS);
		before = truth_faulted();
		if (turn % 3 == 0)
			grow_mmap(8 * TRUTH_MS);
		truth_add(mmap_id, truth_faulted() - before);
		before = truth_faulted();
		grow_mremap(2 * TRUTH_MS);
		truth_add(mremap_id, truth_faulted() - before);
		truth_sleep(2 * TRUTH_MS);
	}
	return truth_end();
}
