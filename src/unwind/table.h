/* SPDX-License-Identifier: MIT */
/* Which FDE of .eh_frame covers an address, in files whose linker wrote no search table for that
 * (.eh_frame_hdr): static programs of glibc. Private to src/unwind. */
#ifndef MEMTOP_UNWIND_TABLE_H
#define MEMTOP_UNWIND_TABLE_H

#include "module/modules.h"

#include <stdbool.h>
#include <stdint.h>

struct tables;

struct tables *tables_new(void);
void tables_free(struct tables *t); /* NULL-safe */

/* To be called when modules changed. */
void tables_clear(struct tables *t);

/* The address (in the target) of the FDE that covers addr, which lies in mod; false if none does.
 * A module's section is read once. */
bool tables_find(struct tables *t, struct module *mod, uint64_t addr, uint64_t *fde);

#endif
