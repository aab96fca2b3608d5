/* SPDX-License-Identifier: MIT */
/* Allocation that cannot fail: a tool of a few tens of MB has nothing better to do than to end. */
#ifndef MEMTOP_BASE_MEM_H
#define MEMTOP_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

void *mem_alloc(size_t size);                     /* zeroed */
void *mem_resize(void *p, size_t n, size_t size); /* n elements of size bytes; checks overflow */
char *mem_strdup(const char *s);
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Makes room for one more element in a plain array kept as pointer, length, capacity. */
#define MEM_GROW(array, len, cap)                                                                  \
	do {                                                                                       \
		if ((len) == (cap)) {                                                              \
			(cap) = (cap) ? (cap)*2 : 16;                                              \
			(array) = mem_resize((array), (cap), sizeof *(array));                     \
		}                                                                                  \
	} while (0)

#endif
