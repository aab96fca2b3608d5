/* SPDX-License-Identifier: MIT */
/* A target's RSS by kind, read as often and as cheaply as it can be. */
#ifndef MEMTOP_ENGINE_COUNTERS_H
#define MEMTOP_ENGINE_COUNTERS_H

#include "base/err.h"
#include "engine/estimate.h"
#include "target/process.h"

struct counters;

/* p must outlive it. */
struct counters *counters_open(const struct process *p, struct err *e);
void counters_close(struct counters *c); /* NULL-safe */

/* False where the thread whose files are read has no memory any more: RSS is then unknown, not 0.
 */
bool counters_read(struct counters *c, struct rss_reading *r);

/* After a counters_read that gave false: the process has ended, or its main thread has and others
 * go on, whose files then serve. */
void counters_follow(struct counters *c);

#endif
