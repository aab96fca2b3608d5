/* SPDX-License-Identifier: MIT */
/* The share of wall time for which a target may be stopped: a token bucket in nanoseconds. */
#ifndef MEMTOP_ENGINE_BUDGET_H
#define MEMTOP_ENGINE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct budget {
	double share; /* 0..1 */
	double tokens_ns, cap_ns;
	uint64_t last_ns;
};

/* Starts full: one second's worth, so that a short burst can be looked at closely. */
struct budget budget_new(double share, uint64_t now_ns);

/* True while there is anything left; stops of unknown length may overdraw it, and are paid back. */
bool budget_allows(struct budget *b, uint64_t now_ns);
void budget_spend(struct budget *b, uint64_t stopped_ns);

#endif
