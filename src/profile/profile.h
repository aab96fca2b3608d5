/* SPDX-License-Identifier: MIT */
/* What is known of one target: its stacks and their weights, its RSS. Weights are estimates and
 * give the shares; RSS gives the totals; profile_attribute brings both together, to the byte. */
#ifndef MEMTOP_PROFILE_PROFILE_H
#define MEMTOP_PROFILE_PROFILE_H

#include "profile/ledger.h"
#include "profile/stacks.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct profile;

/* noise: see ledger_new. */
struct profile *profile_new(uint64_t noise);
void profile_free(struct profile *p); /* NULL-safe */

struct stack_table *profile_stacks(const struct profile *p);
struct ledger *profile_ledger(const struct profile *p);

/* Adds a sample's weight (estimated bytes by kind) to a stack of the table. */
void profile_add(struct profile *p, uint32_t stack, const double weight[MEM_KINDS]);

/* Adds weight that no stack explains. */
void profile_miss(struct profile *p, const double weight[MEM_KINDS]);

/* Begins a new report interval (PROFILE_SINCE_MARK). */
void profile_mark(struct profile *p);

enum profile_span { PROFILE_SINCE_START, PROFILE_SINCE_MARK };

#define PROFILE_ALL_KINDS ((1U << MEM_KINDS) - 1)

struct attribution {
	uint64_t *bytes; /* grown, by stack number */
	size_t len;
	uint64_t grown;        /* the sum of bytes */
	uint64_t unattributed; /* growth that no sample explains */
	uint64_t released;     /* fall of RSS; grown + unattributed - released = change of RSS */
};

/* Distributes the growth of the kinds (a mask of 1 << MEM_…) over the stacks by their weights. The
 * caller frees it with attribution_free. */
struct attribution profile_attribute(struct profile *p, enum profile_span span, unsigned kinds);
void attribution_free(struct attribution *a);

#endif
