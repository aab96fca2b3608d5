/* SPDX-License-Identifier: MIT */
/* All files of a run: those of --record and those of --output-dir. */
#ifndef MEMTOP_APP_RECORDER_H
#define MEMTOP_APP_RECORDER_H

#include "app/log.h"
#include "app/options.h"
#include "output/output.h"

struct recorder;

/* Creates the files (and the folder, whose log l writes to from then on). name, pid: for the
 * folder's name. */
struct recorder *recorder_open(const struct options *o, const char *name, pid_t pid, struct log *l,
                               struct err *e);
void recorder_free(struct recorder *r); /* NULL-safe */

/* Writes all files anew. What fails is said once, and tried again the next time. False if anything
 * failed. */
bool recorder_write(struct recorder *r, const struct output_target *targets, size_t n, bool final);

/* Where reports and the summary go besides the standard streams; NULL without --output-dir. */
FILE *recorder_report(const struct recorder *r);
FILE *recorder_summary(const struct recorder *r);

#endif
