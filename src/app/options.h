/* SPDX-License-Identifier: MIT */
/* The command line. */
#ifndef MEMTOP_APP_OPTIONS_H
#define MEMTOP_APP_OPTIONS_H

#include "base/err.h"
#include "output/output.h"
#include "unwind/unwind.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct record_option {
	const char *file;
	const struct output_ops *ops;
};

struct options {
	pid_t *pids;
	size_t pids_len;
	const char *name; /* -n */
	char **command;   /* after --, NULL-terminated; NULL if none */
	bool kill;

	struct record_option *records;
	size_t records_len;
	bool batch;
	const char *output_dir;

	double delay_s, duration_s; /* duration 0: no end */
	unsigned long count;        /* 0: no end */

	double interval_ms, overhead_pct;
	const struct unwinder_ops *unwinder;
	size_t max_frames;
	bool inlines, debuginfod, threads;

	unsigned kinds;
	size_t top;
	bool quiet;
	unsigned verbose;

	bool help, version;
	char **owned; /* words of MEMTOP_OPTIONS, and the merged argument vector */
};

/* Parses MEMTOP_OPTIONS (environment, may be NULL) and then argv, which wins. False: a usage error.
 */
bool options_parse(struct options *o, const char *environment, int argc, char **argv,
                   struct err *e);
void options_clear(struct options *o);

const char *options_help(void);

#endif
