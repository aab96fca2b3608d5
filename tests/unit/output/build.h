/* SPDX-License-Identifier: MIT */
/* Profiles made by hand, and what outputs make of them. For the tests of output. */
#ifndef MEMTOP_TESTS_BUILD_H
#define MEMTOP_TESTS_BUILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/intern.h"
#include "output/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUILD_DEPTH 16

struct build {
	struct intern *strings;
	struct profile *profile;
	uint64_t grown; /* anon, so far */
	uint64_t time;
};

static inline void build_rss(struct build *b, uint64_t anon, uint64_t file, uint64_t shmem)
{
	const uint64_t bytes[MEM_KINDS] = {anon, file, shmem};
	ledger_add(profile_ledger(b->profile), b->time += 1000000000, bytes);
}

static inline struct build build_new(void)
{
	struct build b = {.strings = intern_new(), .profile = profile_new(0)};
	build_rss(&b, 0, 0, 0);
	return b;
}

static inline void build_free(struct build *b)
{
	profile_free(b->profile);
	intern_free(b->strings);
}

static inline uint32_t build_frame(struct build *b, const struct frame *f)
{
	struct frame own = *f;
	own.function = intern_str(b->strings, f->function);
	own.module = intern_str(b->strings, f->module);
	own.file = intern_str(b->strings, f->file);
	return stack_table_frame(profile_stacks(b->profile), &own);
}

/* A stack of functions, root first; NULL ends it. It
 * weighs bytes, and RSS grows by as much. */
static inline void build_stack(struct build *b, uint64_t bytes, const char *const *names)
{
	uint32_t frames[BUILD_DEPTH];
	size_t n = 0;
	while (names[n])
		n++;
	assert_true(n <= BUILD_DEPTH);
	for (size_t i = 0; i < n; i++)
		frames[n - 1 - i] =
		        build_frame(b, &(struct frame){.function = names[i], .module = "prog"});
	const double weight[MEM_KINDS] = {(double)bytes, 0, 0};
	profile_add(b->profile, stack_table_stack(profile_stacks(b->profile), frames, n), weight);
	b->grown += bytes;
	build_rss(b, b->grown, 0, 0);
}

#define STACK(...) ((const char *const[]){__VA_ARGS__, NULL})

static inline struct output_target build_target(const struct build *b)
{
	return (struct output_target){
	        .command = "prog", .pid = 42, .profile = b->profile, .kinds = PROFILE_ALL_KINDS};
}

/* What ops writes for one target; malloc'ed. */
static inline char *build_text(const struct output_ops *ops, const struct build *b, size_t n)
{
	struct output_target targets[4];
	char *text = NULL;
	size_t len;
	assert_true(n <= 4);
	for (size_t i = 0; i < n; i++)
		targets[i] = build_target(&b[i]);
	FILE *f = open_memstream(&text, &len);
	assert_non_null(f);
	ops->write(f, targets, n);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(strlen(text), len);
	return text;
}

#endif
