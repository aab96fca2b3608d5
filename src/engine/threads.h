/* SPDX-License-Identifier: MIT */
/* Who of a target's threads is growing: their fault counts, read cheaply. Only threads that have
 * faulted of late (the active ones) are read at each look; the others by a scan when growth has no
 * known author, at most 1 % of the time. So a look costs the same beside ten idle threads or a
 * thousand. */
#ifndef MEMTOP_ENGINE_THREADS_H
#define MEMTOP_ENGINE_THREADS_H

#include "base/rng.h"
#include "target/process.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define THREADS_WATCHED 16 /* active threads read at one look; of more, a random choice */

struct watched {
	pid_t tid;
	char comm[16];
	char state;
	int cpu;         /* that it last ran on */
	uint64_t faults; /* minor and major, at the last reading */
	uint64_t delta;  /* faults between the last two readings */
	uint64_t handle; /* which entry of the table; private */
};

struct threads;

struct threads *threads_new(const struct process *p, struct rng rng);
void threads_free(struct threads *t); /* NULL-safe */

/* Scans all threads, if that is allowed again by now: those that faulted since the last scan become
 * active. */
bool threads_scan(struct threads *t);

/* Fills w (THREADS_WATCHED long) with active threads, their fault counts read now; returns how
 * many. *share becomes the share of the active threads that was chosen, 1 where that is all of
 * them. */
size_t threads_watch(struct threads *t, struct watched *w, double *share);

/* Reads them again: state and delta. Threads that have ended get state 0. Once per threads_watch.
 */
void threads_reread(struct threads *t, struct watched *w, size_t n);

size_t threads_count(const struct threads *t);
size_t threads_active(const struct threads *t);

#endif
