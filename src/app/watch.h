/* SPDX-License-Identifier: MIT */
/* One target on its way through the house: engine, unwinder, symbolizer, profile. */
#ifndef MEMTOP_APP_WATCH_H
#define MEMTOP_APP_WATCH_H

#include "app/options.h"
#include "base/intern.h"
#include "output/output.h"
#include "output/text.h"
#include "target/process.h"

struct watch;

/* Takes process over. several: more than one target is watched, so the command alone doesn't name
 * one. */
struct watch *watch_open(struct process *process, struct intern *strings, const struct options *o,
                         bool several, struct err *e);
void watch_free(struct watch *w); /* NULL-safe */

/* Unwinds, names and books what the engine has yielded since. */
void watch_drain(struct watch *w);

/* The target has ended, or the watch shall: stops the engine and drains the rest. */
void watch_finish(struct watch *w);
bool watch_finished(const struct watch *w);

const struct process *watch_process(const struct watch *w);
struct output_target watch_output(const struct watch *w);

/* Writes a report, and begins the next interval. */
void watch_report(struct watch *w, FILE *const *files, size_t n, unsigned number,
                  struct sources *sources);
void watch_summary(const struct watch *w, FILE *f, uint64_t cpu_ns);

#endif
