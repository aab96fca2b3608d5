/* SPDX-License-Identifier: MIT */
#include "engine/budget.h"

#include "base/clock.h"

struct budget budget_new(double share, uint64_t now_ns)
{
	double cap = share * (double)NS_PER_S;
	return (struct budget){.share = share, .tokens_ns = cap, .cap_ns = cap, .last_ns = now_ns};
}

bool budget_allows(struct budget *b, uint64_t now_ns)
{
	b->tokens_ns += (double)(now_ns - b->last_ns) * b->share;
	b->last_ns = now_ns;
	if (b->tokens_ns > b->cap_ns)
		b->tokens_ns = b->cap_ns;
	return b->tokens_ns > 0;
}

void budget_spend(struct budget *b, uint64_t stopped_ns)
{
	b->tokens_ns -= (double)stopped_ns;
}
