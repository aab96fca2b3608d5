/* SPDX-License-Identifier: MIT */
/* A frame as people know it. */
#ifndef MEMTOP_SYMBOL_FRAME_H
#define MEMTOP_SYMBOL_FRAME_H

#include <stdbool.h>

/* All strings are interned (equal pointers mean equal strings) and raw: they may hold any byte but
 * NUL. */
struct frame {
	const char *function; /* demangled, or "module+0x1234", or "[truncated]"; never NULL */
	const char *module;   /* file name without folders, or NULL */
	const char *file;     /* source path, or NULL */
	int line;             /* 0: unknown; below 0: no code, but a heading such as the command */
	bool inlined;         /* its code stands inside the next outer frame's function */
	bool named;           /* false where function is only module+offset or an address */
};

#endif
