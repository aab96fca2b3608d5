/* SPDX-License-Identifier: MIT */
/* Unwind rules of single addresses, taken from CFI once. Most code needs only the simplest kind;
 * for these a step costs a few loads instead of running a CFI program. Private to src/unwind. */
#ifndef MEMTOP_UNWIND_ROWS_H
#define MEMTOP_UNWIND_ROWS_H

#include "engine/sample.h"
#include "module/modules.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct saved_register {
	uint8_t reg;
	int32_t offset; /* from the CFA, where its value lies in memory */
};

struct row {
	bool simple;    /* else: no CFI, a signal frame, or rules beyond this struct */
	bool outermost; /* nobody called this code */
	uint8_t cfa_reg, saved_len;
	int32_t cfa_offset;
	uint32_t lost; /* registers whose value the caller has no more, as a bit mask */
	struct saved_register saved[SAMPLE_REGS]; /* the return address included */
};

struct rows;

struct rows *rows_new(const struct modules *m);
void rows_free(struct rows *r); /* NULL-safe */
void rows_clear(struct rows *r);

/* The rules at addr (a call's return address minus one); valid until the next call. */
const struct row *rows_find(struct rows *r, uint64_t addr);

#endif
