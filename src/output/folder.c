/* SPDX-License-Identifier: MIT */
#include "output/folder.h"

#include "output/text.h"

#include <inttypes.h>

static void write_trees(FILE *f, const struct output_target *targets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		text_write_tree(f, &targets[i]);
}

static void write_series(FILE *f, const struct output_target *t)
{
	size_t len;
	const struct ledger_point *p = ledger_series(profile_ledger(t->profile), &len);
	for (size_t i = 0; i < len; i++)
		fprintf(f, "%.4f,%d,%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
		        (double)(p[i].time_ns - p[0].time_ns) / 1e9, (int)t->pid,
		        p[i].bytes[MEM_ANON], p[i].bytes[MEM_FILE], p[i].bytes[MEM_SHMEM]);
}

static void write_rss(FILE *f, const struct output_target *targets, size_t n)
{
	fputs("seconds,pid,anon,file,shmem\n", f);
	for (size_t i = 0; i < n; i++)
		write_series(f, &targets[i]);
}

const struct output_ops output_tree = {
        .extension = ".txt",
        .what = "the call tree",
        .write = write_trees,
};

const struct output_ops output_rss = {
        .extension = ".csv",
        .what = "RSS over time",
        .write = write_rss,
};
