/* SPDX-License-Identifier: MIT */
#include "profile/callsite.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Beginnings of module names. */
static const char *const plumbing_modules[] = {
        "libc.so",    "libc-",   "ld-linux", "ld-musl",     "ld-2",        "ld.so",
        "libpthread", "libm.so", "libm-",    "libjemalloc", "libtcmalloc", "libmimalloc",
        "libstdc++",  "libc++",  "libgcc_s", "[vdso]",
};

/* For programs that have these linked in: whole names … */
static const char *const plumbing_names[] = {
        "malloc",        "calloc",        "realloc",
        "reallocarray",  "memalign",      "posix_memalign",
        "aligned_alloc", "valloc",        "pvalloc",
        "free",          "cfree",         "mmap",
        "mmap64",        "munmap",        "mremap",
        "brk",           "sbrk",          "memset",
        "memcpy",        "memmove",       "mempcpy",
        "strdup",        "strndup",       "xmalloc",
        "xcalloc",       "xrealloc",      "_int_malloc",
        "_int_realloc",  "_int_memalign", "_int_free",
        "sysmalloc",     "sYSMALLOc",     "malloc_consolidate",
        "systrim",       "tcache_init",   "arena_get2",
};

/* … and beginnings of names. */
static const char *const plumbing_prefixes[] = {
        "__libc_",
        "__GI_",
        "__mem",
        "__str",
        "__mmap",
        "__brk",
        "__sbrk",
        "__default_morecore",
        "__glibc_morecore",
        "je_",
        "mi_",
        "_mi_",
        "tc_",
        "std::",
        "__gnu_cxx::",

        "__rust_",
        "__rg_",
        "__rdl_",
        "__cxxabi",
};

static const char *const plumbing_operators[] = {"operator new", "operator delete"};

/* Rust's libraries; a C++ name has parentheses, and may use these words as it likes. */
static const char *const plumbing_rust[] = {
        "alloc::", "core::", "<alloc::", "<core::", "<std::", "hashbrown::", "<hashbrown::",
};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static bool begins_with_any(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(s, list[i], strlen(list[i])) == 0)
			return true;
	return false;
}

/* The name of a C++ template comes after its return type: "int&
 * std::vector<int>::emplace_back<int>(int&&)". */
static const char *after_return_type(const char *s)
{
	const char *name = s;
	int depth = 0;
	for (; *s && (*s != '(' || depth > 0); s++) {
		depth += (*s == '<') - (*s == '>');
		if (*s == ' ' && depth == 0)
			name = s + 1;
	}
	return name;
}

bool callsite_is_plumbing(const struct frame *f)
{
	if (f->module && begins_with_any(f->module, plumbing_modules, COUNT(plumbing_modules)))
		return true;
	for (size_t i = 0; i < COUNT(plumbing_names); i++)
		if (strcmp(f->function, plumbing_names[i]) == 0)
			return true;
	const char *name = f->function;
	if (!strchr(name, '('))
		return begins_with_any(name, plumbing_prefixes, COUNT(plumbing_prefixes)) ||
		       begins_with_any(name, plumbing_rust, COUNT(plumbing_rust));
	return begins_with_any(name, plumbing_operators, COUNT(plumbing_operators)) ||
	       begins_with_any(after_return_type(name), plumbing_prefixes,
	                       COUNT(plumbing_prefixes));
}

size_t callsite_of(const struct stack_table *t, const uint32_t *frames, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct frame *f = stack_table_get_frame(t, frames[i]);
		if (f->line >= 0 && !callsite_is_plumbing(f))
			return i;
	}
	return 0;
}

static int larger_first(const void *va, const void *vb)
{
	const struct callsite *a = va, *b = vb;
	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? 1 : -1;
	return a->frame < b->frame ? -1 : a->frame > b->frame;
}

static uint64_t key_of(const struct stack_table *t, uint32_t frame, bool is_leaf)
{
	if (!is_leaf)
		return frame;
	const struct frame *f = stack_table_get_frame(t, frame);
	const uint64_t parts[] = {(uintptr_t)f->function, (uintptr_t)f->module, (uintptr_t)f->file};
	return hash_bytes(parts, sizeof parts, 4) | UINT64_C(1) << 63;
}

struct callsite *callsites(const struct stack_table *t, const struct attribution *a, size_t *len)
{
	struct hash *index = hash_new(); /* key -> place in list */
	struct callsite *list = NULL;
	size_t cap = 0;
	*len = 0;
	for (uint32_t s = 0; s < a->len; s++) {
		size_t n;
		const uint32_t *frames = stack_table_get_stack(t, s, &n);
		if (a->bytes[s] == 0 || n == 0)
			continue;
		size_t site = callsite_of(t, frames, n);
		uint64_t key = key_of(t, frames[site], site == 0);
		const uint64_t *at = hash_get(index, key);
		if (!at) {
			MEM_GROW(list, *len, cap);
			list[*len] = (struct callsite){0};
			at = hash_put(index, key, (*len)++);
		}
		struct callsite *c = &list[*at];
		c->bytes += a->bytes[s];
		if (a->bytes[s] > c->heaviest_bytes) {
			c->frame = frames[site];
			c->heaviest_bytes = a->bytes[s];
			c->heaviest = s;
		}
	}
	hash_free(index);
	if (*len > 0)
		qsort(list, *len, sizeof *list, larger_first);
	return list;
}
