/* SPDX-License-Identifier: MIT */
#include "profile/profile.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define SPANS 2

struct weights {
	double by_span[SPANS][MEM_KINDS];
};

struct profile {
	struct stack_table *stacks;
	struct ledger *ledger;
	struct weights *weights; /* by stack number */
	size_t len, cap;
	struct weights missed;
	struct ledger_total mark; /* the totals when the interval began */
};

struct profile *profile_new(uint64_t noise)
{
	struct profile *p = mem_alloc(sizeof *p);
	p->stacks = stack_table_new();
	p->ledger = ledger_new(noise);
	return p;
}

void profile_free(struct profile *p)
{
	if (!p)
		return;
	stack_table_free(p->stacks);
	ledger_free(p->ledger);
	free(p->weights);
	free(p);
}

struct stack_table *profile_stacks(const struct profile *p)
{
	return p->stacks;
}

struct ledger *profile_ledger(const struct profile *p)
{
	return p->ledger;
}

static void add(struct weights *w, const double weight[MEM_KINDS])
{
	for (int s = 0; s < SPANS; s++)
		for (int k = 0; k < MEM_KINDS; k++)
			w->by_span[s][k] += weight[k];
}

void profile_add(struct profile *p, uint32_t stack, const double weight[MEM_KINDS])
{
	while (p->len <= stack) {
		MEM_GROW(p->weights, p->len, p->cap);
		memset(&p->weights[p->len++], 0, sizeof *p->weights);
	}
	add(&p->weights[stack], weight);
}

void profile_miss(struct profile *p, const double weight[MEM_KINDS])
{
	add(&p->missed, weight);
}

static void clear_span(struct weights *w)
{
	memset(w->by_span[PROFILE_SINCE_MARK], 0, sizeof w->by_span[PROFILE_SINCE_MARK]);
}

void profile_mark(struct profile *p)
{
	ledger_settle(p->ledger);
	p->mark = *ledger_total(p->ledger);
	clear_span(&p->missed);
	for (size_t i = 0; i < p->len; i++)
		clear_span(&p->weights[i]);
}

/* Rounding the running sum instead of each part makes the parts add up to the whole. */
static void distribute(const struct profile *p, enum profile_span span, int kind, uint64_t grown,
                       struct attribution *a)
{
	double found = 0, missed = p->missed.by_span[span][kind];
	for (size_t i = 0; i < p->len; i++)
		found += p->weights[i].by_span[span][kind];
	if (found <= 0) {
		a->unattributed += grown;
		return;
	}
	uint64_t explained = (uint64_t)((double)grown * (found / (found + missed)));
	if (explained > grown || missed <= 0)
		explained = grown;
	double sum = 0;
	uint64_t given = 0;
	size_t last = 0;
	for (size_t i = 0; i < p->len; i++) {
		double weight = p->weights[i].by_span[span][kind];
		if (weight <= 0)
			continue;
		sum += weight;
		uint64_t upto = (uint64_t)((double)explained * (sum / found));
		if (upto > explained)
			upto = explained;
		a->bytes[i] += upto - given;
		given = upto;
		last = i;
	}
	a->bytes[last] += explained - given; /* what floating point lost of the whole */
	a->grown += explained;
	a->unattributed += grown - explained;
}

struct attribution profile_attribute(struct profile *p, enum profile_span span, unsigned kinds)
{
	struct attribution a = {.len = p->len};
	a.bytes = mem_alloc(p->len * sizeof *a.bytes);
	ledger_settle(p->ledger);
	const struct ledger_total *total = ledger_total(p->ledger);
	bool whole = span == PROFILE_SINCE_START;
	for (int k = 0; k < MEM_KINDS; k++) {
		if (!(kinds >> k & 1))
			continue;
		uint64_t grown = total->grown[k] - (whole ? 0 : p->mark.grown[k]);
		a.released += total->released[k] - (whole ? 0 : p->mark.released[k]);
		distribute(p, span, k, grown, &a);
	}
	return a;
}

void attribution_free(struct attribution *a)
{
	free(a->bytes);
	*a = (struct attribution){0};
}
