/* SPDX-License-Identifier: MIT */
/* /proc/PID/maps (proc_pid_maps(5)). */
#ifndef MEMTOP_PROC_MAPS_H
#define MEMTOP_PROC_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapping {
	uint64_t start, end; /* addresses, end exclusive */
	uint64_t offset;     /* in the file */
	uint64_t dev;        /* as makedev(3) gives */
	uint64_t inode;      /* 0: no file */
	bool read, write, exec, shared;
	bool deleted;     /* the name ended in " (deleted)", which is cut off here */
	const char *name; /* path with \012 decoded, "[heap]", … or ""; owned by the maps */
};

struct maps {
	struct mapping *list; /* by address */
	size_t len;
	size_t bad_lines; /* that could not be parsed */
	char *text;       /* owns the names */
};

/* Parses a copy of text. Lines that make no sense are counted and left out. */
struct maps *maps_parse(const char *text, size_t len);
void maps_free(struct maps *m); /* NULL-safe */

/* The mapping that holds addr, or NULL. */
const struct mapping *maps_find(const struct maps *m, uint64_t addr);

#endif
