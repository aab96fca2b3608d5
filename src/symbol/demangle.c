/* SPDX-License-Identifier: MIT */
#include "symbol/demangle.h"

#include "base/mem.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Symbols are hostile. libiberty limits its recursion by itself, but a short symbol of
 * substitutions can stand for an endless name: so we leave it in the middle. It allocates only on
 * the stack then. */
#define MAX_IN  16384
#define MAX_OUT 16384

struct output {
	size_t len;
	jmp_buf too_long;
	char text[MAX_OUT + 1];
};

static void append(const char *text, size_t len, void *arg)
{
	struct output *out = arg;
	if (len > MAX_OUT - out->len)
		longjmp(out->too_long, 1);
	memcpy(out->text + out->len, text, len);
	out->len += len;
}

/* A version's "@@GLIBC_2.2.5" is no part of the name. NULL if it is too long. */
static char *without_version(const char *symbol)
{
	size_t len = strcspn(symbol, "@");
	return len <= MAX_IN ? strndup(symbol, len) : NULL;
}

static bool may_be_rust(const char *s)
{
	return strncmp(s, "_R", 2) == 0 || strncmp(s, "_ZN", 3) == 0;
}

static bool may_be_cxx(const char *s)
{
	return strncmp(s, "_Z", 2) == 0 || strncmp(s, "_GLOBAL_", 8) == 0;
}

/* Rust first: its older form looks like C++ with a hash for a last name. */
static bool run(const char *symbol, struct output *out)
{
	if (setjmp(out->too_long))
		return false;
	if (may_be_rust(symbol) && rust_demangle_callback(symbol, 0, append, out))
		return true;
	out->len = 0;
	return may_be_cxx(symbol) &&
	       cplus_demangle_v3_callback(symbol, DMGL_PARAMS | DMGL_ANSI | DMGL_RET_DROP, append,
	                                  out);
}

char *demangle(const char *symbol)
{
	if (!may_be_rust(symbol) && !may_be_cxx(symbol))
		return NULL;
	char *name = without_version(symbol);
	if (!name)
		return NULL;
	struct output *out = mem_alloc(sizeof *out);
	char *text = run(name, out) && out->len > 0 ? strndup(out->text, out->len) : NULL;
	free(out);
	free(name);
	return text;
}
