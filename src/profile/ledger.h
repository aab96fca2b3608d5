/* SPDX-License-Identifier: MIT */
/* Growth and fall of RSS by kind, and a time series of it. grown - released = now - start, always.
 */
#ifndef MEMTOP_PROFILE_LEDGER_H
#define MEMTOP_PROFILE_LEDGER_H

#include "engine/sample.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ledger_point {
	uint64_t time_ns;
	uint64_t bytes[MEM_KINDS];
};

struct ledger_total {
	uint64_t grown[MEM_KINDS], released[MEM_KINDS];
};

struct ledger;

/* noise: bytes by which a reading may be off (engine_rss_noise). Smaller ups and downs are not
 * booked as growth and fall; what is left of them at a settlement is. */
struct ledger *ledger_new(uint64_t noise);
void ledger_free(struct ledger *l); /* NULL-safe */

void ledger_add(struct ledger *l, uint64_t time_ns, const uint64_t bytes[MEM_KINDS]);

/* Books what the noise held back, so that the totals add up. Call it before a report. */
void ledger_settle(struct ledger *l);

const struct ledger_total *ledger_total(const struct ledger *l);
const struct ledger_point *ledger_start(const struct ledger *l); /* NULL before the first reading */
const struct ledger_point *ledger_now(const struct ledger *l);
uint64_t ledger_peak(const struct ledger *l); /* of the sum of the kinds */

/* The series, oldest first; when it gets long, every second point is dropped. */
const struct ledger_point *ledger_series(const struct ledger *l, size_t *len);

uint64_t ledger_sum(const uint64_t bytes[MEM_KINDS]);

#endif
