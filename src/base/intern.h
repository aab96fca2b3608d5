/* SPDX-License-Identifier: MIT */
/* Interned strings: one stable copy each, so that equal strings have equal pointers. */
#ifndef MEMTOP_BASE_INTERN_H
#define MEMTOP_BASE_INTERN_H

struct intern;

struct intern *intern_new(void);
void intern_free(struct intern *t); /* NULL-safe; ends the life of every string given out */

/* The one copy of s, owned by t. intern_str(t, NULL) is NULL. */
const char *intern_str(struct intern *t, const char *s);

#endif
