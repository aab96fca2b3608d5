/* SPDX-License-Identifier: MIT */
/* The writing end of an engine: a bounded queue, counters, and the wish to stop. */
#ifndef MEMTOP_ENGINE_OUT_H
#define MEMTOP_ENGINE_OUT_H

#include "engine/engine.h"

#include <pthread.h>
#include <stdatomic.h>

#define ENGINE_STACK_MIN   (32 * 1024)
#define ENGINE_STACK_MAX   (1024 * 1024)
#define ENGINE_QUEUE       4096
#define ENGINE_QUEUE_BYTES (64 * 1024 * 1024) /* of samples that wait */

struct engine_out {
	pthread_mutex_t lock; /* of all below but the atomics */
	struct engine_message queue[ENGINE_QUEUE];
	size_t head, len, bytes;
	struct engine_stats stats;
	int stop_fd;                /* eventfd: readable when the thread shall end */
	atomic_uint_fast64_t stack; /* how much of a stack to copy at most */
};

/* Sleeps until CLOCK_MONOTONIC is at; false as soon as the engine shall end. */
bool engine_out_wait(struct engine_out *o, uint64_t at_ns);

/* Queues a message. A full queue loses it, which gives false: a sample is counted and freed. */
bool engine_out_put(struct engine_out *o, const struct engine_message *m);

/* Adds to the counters under the lock: x is an engine_stats field. */
#define ENGINE_COUNT(o, x)                                                                         \
	do {                                                                                       \
		pthread_mutex_lock(&(o)->lock);                                                    \
		(o)->stats.x++;                                                                    \
		pthread_mutex_unlock(&(o)->lock);                                                  \
	} while (0)

#define ENGINE_SET(o, x, value)                                                                    \
	do {                                                                                       \
		pthread_mutex_lock(&(o)->lock);                                                    \
		(o)->stats.x = (value);                                                            \
		pthread_mutex_unlock(&(o)->lock);                                                  \
	} while (0)

#endif
