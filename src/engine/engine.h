/* SPDX-License-Identifier: MIT */
/* An engine watches one process and yields samples and RSS readings. It runs in a thread of its
 * own, so that looks come at their random times however long symbolization takes. */
#ifndef MEMTOP_ENGINE_ENGINE_H
#define MEMTOP_ENGINE_ENGINE_H

#include "base/err.h"
#include "base/histogram.h"
#include "engine/sample.h"
#include "target/process.h"

#include <stdbool.h>
#include <stdint.h>

struct engine_config {
	double interval_ms; /* mean time between looks */
	double overhead;    /* share of wall time that the target may be stopped, 0..1 */
};

enum engine_message_kind { ENGINE_RSS, ENGINE_SAMPLE, ENGINE_MISSED };

struct engine_message {
	enum engine_message_kind kind;
	uint64_t time_ns;
	union {
		uint64_t rss[MEM_KINDS];  /* ENGINE_RSS: resident bytes now */
		double missed[MEM_KINDS]; /* ENGINE_MISSED: estimated bytes by nobody who was found
		                           */
		struct sample *sample;    /* ENGINE_SAMPLE: the receiver frees it with free() */
	};
};

struct engine_stats {
	uint64_t looks, grew;         /* looks taken; those that saw growth */
	uint64_t stops, late, failed; /* threads stopped; not in time; refused or gone */
	uint64_t skipped;             /* stops that the budget did not allow */
	uint64_t samples;             /* handed over */
	uint64_t lost;                /* samples that the receiver was too slow to take */
	uint64_t asleep;              /* growing looks whose grower was asleep or unknown by then */
	uint64_t dozed;     /* of the stops: the thread had gone to sleep at that very moment */
	double interval_ms; /* mean time between looks, now */
	struct histogram window; /* nanoseconds for which a thread was stopped */
};

struct engine;
struct engine_out; /* engine/out.h: what an implementation writes to */
struct engine_impl;

struct engine_ops {
	const char *name;
	/* process must outlive it. */
	struct engine_impl *(*open)(const struct process *p, const struct engine_config *c,
	                            struct engine_out *out, struct err *e);
	void (*run)(struct engine_impl *impl); /* until engine_out_wait gives false */
	void (*close)(struct engine_impl *impl);
};

extern const struct engine_ops engine_stops;

struct engine *engine_start(const struct engine_ops *ops, const struct process *p,
                            const struct engine_config *c, struct err *e);
void engine_stop(struct engine *e); /* ends the thread, within a second; messages stay readable */
void engine_free(struct engine *e); /* NULL-safe; stops it too */

/* Takes the next message; false when there is none for now. Never blocks. */
bool engine_next(struct engine *e, struct engine_message *m);

/* The receiver needed this many bytes of stack: later copies are larger, up to a limit. */
void engine_want_stack(struct engine *e, uint64_t bytes);

void engine_get_stats(struct engine *e, struct engine_stats *out);

/* How far statm is from smaps_rollup, which walks the page tables and so is exact, for this process
 * now; false where that can't be told: it is changing, or too large to be walked in passing (4
 * GiB). */
bool engine_rss_deviation(const struct process *p, int64_t *bytes);

/* Bytes by which RSS readings of this kernel may be off (its per-CPU counters); 0 where exact. */
uint64_t engine_rss_noise(void);

#endif
