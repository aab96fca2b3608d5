/* SPDX-License-Identifier: MIT */
/* Plain text: the batch report and the summary. */
#ifndef MEMTOP_OUTPUT_TEXT_H
#define MEMTOP_OUTPUT_TEXT_H

#include "output/output.h"
#include "symbol/source.h"

#include <stdint.h>

struct text_report {
	unsigned number;   /* of the report, from 1 */
	uint64_t since_ns; /* since the watch began */
	size_t top;        /* call sites in each table */
	uint64_t last_rss; /* total at the last report */
	const char *engine;
	struct sources *sources;
};

/* RSS, the top call sites since the start and since the last report, totals. */
void text_write_report(FILE *f, const struct output_target *t, const struct text_report *r);

/* The call tree with self and total, down to 0.5 % of the growth. */
void text_write_tree(FILE *f, const struct output_target *t);

/* What the walk over the samples met. */
struct walk_stats {
	uint64_t cut;  /* stacks that end in [truncated] */
	uint64_t live; /* finished from memory beyond the copy, read while the target ran */
	uint64_t first_sample_ns; /* from the start to the first symbolized sample; 0: none */
};

struct text_summary {
	uint64_t since_ns;
	const char *engine;
	const struct engine_stats *stats;
	const struct walk_stats *walk;
	uint64_t noise; /* of RSS readings, bytes */
	size_t modules, modules_missing, modules_mismatched;
	uint64_t cpu_ns; /* used by memtop */
};

/* One "key values" line each; bytes are plain numbers, for scripts. doc/memtop.1 describes the
 * lines. */
void text_write_summary(FILE *f, const struct output_target *t, const struct text_summary *s);

#endif
