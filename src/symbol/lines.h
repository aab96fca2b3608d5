/* SPDX-License-Identifier: MIT */
/* Source lines and inlined functions, from one module's DWARF. Private to src/symbol. */
#ifndef MEMTOP_SYMBOL_LINES_H
#define MEMTOP_SYMBOL_LINES_H

#include <elfutils/libdwfl.h>
#include <stddef.h>
#include <stdint.h>

#define LINES_MAX 64 /* inlined into one another */

struct line_frame {
	const char *linkage; /* mangled name, or NULL */
	const char *name;    /* as in the source, or NULL */
	const char *file;    /* or NULL */
	const char *folder;  /* that a relative file is relative to, or NULL */
	int line;            /* 0: unknown */
};

struct lines;

struct lines *lines_new(Dwfl_Module *dm);
void lines_free(struct lines *l); /* NULL-safe; dm may be gone */

/* The functions at addr (an address of the target), innermost first; the last one is the concrete
 * function. Returns how many; 0 where DWARF knows nothing. Strings point into dm's file. */
size_t lines_find(struct lines *l, uint64_t addr, struct line_frame out[LINES_MAX]);

#endif
