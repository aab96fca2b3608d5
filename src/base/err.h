/* SPDX-License-Identifier: MIT */
/* One-line errors: what failed, on what, why, and what to do. */
#ifndef MEMTOP_BASE_ERR_H
#define MEMTOP_BASE_ERR_H

#include <stdbool.h>

struct err {
	char text[512];
};

/* Sets the text; always returns false, so that a caller can `return err_set(...)`. e may be NULL.
 */
bool err_set(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* As err_set, with ": " and the text of errnum appended. */
bool err_sys(struct err *e, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
