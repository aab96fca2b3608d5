/* SPDX-License-Identifier: MIT */
#include "profile/ledger.h"

#include "base/mem.h"

#include <stdlib.h>

#define SERIES_MAX 8192

struct ledger {
	uint64_t noise;
	bool any;
	struct ledger_point start, now;
	uint64_t booked[MEM_KINDS];
	struct ledger_total total;
	uint64_t peak;
	struct ledger_point *series;
	size_t len;
	uint64_t step_ns; /* points nearer than this replace each other */
};

struct ledger *ledger_new(uint64_t noise)
{
	struct ledger *l = mem_alloc(sizeof *l);
	l->noise = noise;
	l->series = mem_alloc(SERIES_MAX * sizeof *l->series);
	return l;
}

void ledger_free(struct ledger *l)
{
	if (!l)
		return;
	free(l->series);
	free(l);
}

uint64_t ledger_sum(const uint64_t bytes[MEM_KINDS])
{
	uint64_t sum = 0;
	for (int k = 0; k < MEM_KINDS; k++)
		sum += bytes[k];
	return sum;
}

static void thin(struct ledger *l)
{
	for (size_t i = 0; i < SERIES_MAX / 2; i++)
		l->series[i] = l->series[2 * i];
	l->len = SERIES_MAX / 2;
	uint64_t span = l->series[l->len - 1].time_ns - l->series[0].time_ns;
	l->step_ns = span / (SERIES_MAX / 2);
}

static void append(struct ledger *l, const struct ledger_point *p)
{
	if (l->len == SERIES_MAX)
		thin(l);
	if (l->len > 1 && p->time_ns - l->series[l->len - 2].time_ns < l->step_ns)
		l->len--;
	l->series[l->len++] = *p;
}

static void book(struct ledger *l, int kind, uint64_t noise)
{
	uint64_t now = l->now.bytes[kind], was = l->booked[kind];
	if (now > was && now - was > noise)
		l->total.grown[kind] += now - was;
	else if (now < was && was - now > noise)
		l->total.released[kind] += was - now;
	else
		return;
	l->booked[kind] = now;
}

void ledger_add(struct ledger *l, uint64_t time_ns, const uint64_t bytes[MEM_KINDS])
{
	l->now.time_ns = time_ns;
	for (int k = 0; k < MEM_KINDS; k++)
		l->now.bytes[k] = bytes[k];
	if (!l->any) {
		l->start = l->now;
		for (int k = 0; k < MEM_KINDS; k++)
			l->booked[k] = bytes[k];
		l->any = true;
	}
	for (int k = 0; k < MEM_KINDS; k++)
		book(l, k, l->noise);
	uint64_t sum = ledger_sum(bytes);
	if (sum > l->peak)
		l->peak = sum;
	append(l, &l->now);
}

void ledger_settle(struct ledger *l)
{
	for (int k = 0; k < MEM_KINDS; k++)
		book(l, k, 0);
}

const struct ledger_total *ledger_total(const struct ledger *l)
{
	return &l->total;
}

const struct ledger_point *ledger_start(const struct ledger *l)
{
	return l->any ? &l->start : NULL;
}

const struct ledger_point *ledger_now(const struct ledger *l)
{
	return l->any ? &l->now : NULL;
}

uint64_t ledger_peak(const struct ledger *l)
{
	return l->peak;
}

const struct ledger_point *ledger_series(const struct ledger *l, size_t *len)
{
	*len = l->len;
	return l->series;
}
