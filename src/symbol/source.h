/* SPDX-License-Identifier: MIT */
/* Lines of source files, where they can be read. Paths come from debug information: hostile. */
#ifndef MEMTOP_SYMBOL_SOURCE_H
#define MEMTOP_SYMBOL_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

struct sources;

struct sources *sources_new(void);
void sources_free(struct sources *s); /* NULL-safe */

/* Writes line (from 1) of file without leading blanks into out, made printable; false where there
 * is none. Only plain files of a sane size are opened. */
bool sources_line(struct sources *s, const char *file, int line, char *out, size_t size);

#endif
