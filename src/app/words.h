/* SPDX-License-Identifier: MIT */
#ifndef MEMTOP_APP_WORDS_H
#define MEMTOP_APP_WORDS_H

#include "base/err.h"

#include <stddef.h>

/* Splits a text into words as a shell would: blanks part them, quotes and backslashes keep them.
 * Returns a malloc'ed, NULL-terminated array of malloc'ed words; NULL with an error for an open
 * quote. */
char **words_split(const char *text, size_t *count, struct err *e);
void words_free(char **words); /* NULL-safe */

#endif
