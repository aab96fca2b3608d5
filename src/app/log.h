/* SPDX-License-Identifier: MIT */
/* What memtop says on stderr, and in the log of an output folder. */
#ifndef MEMTOP_APP_LOG_H
#define MEMTOP_APP_LOG_H

#include <stdbool.h>
#include <stdio.h>

struct log {
	bool quiet;       /* nothing but errors on stderr */
	unsigned verbose; /* log_debug reaches stderr too */
	FILE *file;       /* takes everything, with the time; may be NULL */
};

/* One line each; "memtop: " goes before it and a newline after it. */
void log_error(const struct log *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_info(const struct log *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_debug(const struct log *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
