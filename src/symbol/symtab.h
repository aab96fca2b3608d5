/* SPDX-License-Identifier: MIT */
/* The functions of one module's symbol table, sorted. Private to src/symbol. */
#ifndef MEMTOP_SYMBOL_SYMTAB_H
#define MEMTOP_SYMBOL_SYMTAB_H

#include <elfutils/libdwfl.h>
#include <stdint.h>

struct symtab;

/* Its names point into dm's file. */
struct symtab *symtab_new(Dwfl_Module *dm);
void symtab_free(struct symtab *t); /* NULL-safe; dm may be gone */

/* The raw name of the function at addr (an address of the target), or NULL. */
const char *symtab_find(const struct symtab *t, uint64_t addr);

#endif
