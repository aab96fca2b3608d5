/* SPDX-License-Identifier: MIT */
/* What plugin.c loads. It needs nothing of truth.c. */
#define _GNU_SOURCE
#include "truth.h"

#include <string.h>
#include <time.h>

__attribute__((visibility("default"))) void plugin_grow(unsigned char *base, size_t pages,
                                                        uint64_t ns);
static TRUTH_FRAME void plugin_page(unsigned char *page, uint64_t until);

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * TRUTH_SEC + (uint64_t)ts.tv_nsec;
}

static void plugin_page(unsigned char *page, uint64_t until)
{
	memset(page, 7, TRUTH_PAGE);
	while (now() < until)
		TRUTH_KEEP();
}

void plugin_grow(unsigned char *base, size_t pages, uint64_t ns)
{
	uint64_t start = now();

	for (size_t i = 0; i < pages; i++)
		plugin_page(base + i * TRUTH_PAGE, start + ns * (i + 1) / pages);
	TRUTH_KEEP();
}
