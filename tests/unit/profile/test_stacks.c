/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "profile/stacks.h"

#include <stdlib.h>
#include <string.h>

static void frames_are_kept_once(void **state)
{
	(void)state;
	struct stack_table *t = stack_table_new();
	const struct frame base = {.function = "f", .module = "m", .file = "x.c", .line = 7};
	uint32_t id = stack_table_frame(t, &base);
	struct frame same = base;
	assert_int_equal(stack_table_frame(t, &same), id);
	struct frame others[6];
	for (int i = 0; i < 6; i++)
		others[i] = base;
	others[0].function = "g";
	others[1].module = NULL;
	others[2].file = NULL;
	others[3].line = -7;
	others[4].inlined = true;
	others[5].named = true;
	uint32_t ids[6];
	for (int i = 0; i < 6; i++) {
		ids[i] = stack_table_frame(t, &others[i]);
		assert_int_not_equal(ids[i], id);
		for (int k = 0; k < i; k++)
			assert_int_not_equal(ids[i], ids[k]);
	}
	assert_int_equal(stack_table_frames(t), 7);
	for (int i = 0; i < 6; i++)
		assert_int_equal(stack_table_frame(t, &others[i]), ids[i]);
	const struct frame *back = stack_table_get_frame(t, ids[3]);
	assert_string_equal(back->function, "f");
	assert_int_equal(back->line, -7);
	assert_string_equal(stack_table_get_frame(t, id)->file, "x.c");
	stack_table_free(t);
	stack_table_free(NULL);
}

static void stacks_are_kept_once(void **state)
{
	(void)state;
	struct stack_table *t = stack_table_new();
	static const uint32_t a[] = {1, 2, 3}, b[] = {3, 2, 1}, c[] = {1, 2};
	uint32_t ia = stack_table_stack(t, a, 3), ib = stack_table_stack(t, b, 3);
	uint32_t ic = stack_table_stack(t, c, 2), id = stack_table_stack(t, a, 1);
	assert_int_not_equal(ia, ib);
	assert_int_not_equal(ia, ic);
	assert_int_not_equal(ic, id);
	assert_int_equal(stack_table_stack(t, a, 3), ia);
	assert_int_equal(stack_table_stack(t, a, 2), ic);
	assert_int_equal(stack_table_stack(t, c, 1), id);
	assert_int_equal(stack_table_stacks(t), 4);
	size_t n;
	assert_memory_equal(stack_table_get_stack(t, ib, &n), b, sizeof b);
	assert_int_equal(n, 3);
	stack_table_free(t);
}

static void empty_stack(void **state)
{
	(void)state;
	struct stack_table *t = stack_table_new();
	static const uint32_t none[1];
	uint32_t id = stack_table_stack(t, none, 0);
	assert_int_equal(stack_table_stack(t, none, 0), id);
	size_t n = 5;
	stack_table_get_stack(t, id, &n);
	assert_int_equal(n, 0);
	assert_int_not_equal(stack_table_stack(t, none, 1), id);
	stack_table_free(t);
}

/* Many stacks of any depth, twice: the same numbers, the same frames. */
static void many(void **state)
{
	(void)state;
	enum { N = 5000, DEEP = 64 };
	struct stack_table *t = stack_table_new();
	static uint32_t ids[N], frames[DEEP];
	for (int pass = 0; pass < 2; pass++) {
		struct rng r = rng_seeded(16);
		for (uint32_t i = 0; i < N; i++) {
			size_t n = 1 + rng_next(&r) % DEEP;
			for (size_t k = 0; k < n; k++)
				frames[k] = (uint32_t)(rng_next(&r) % 3); /* much alike */
			frames[0] = i;
			uint32_t id = stack_table_stack(t, frames, n);
			if (pass == 0)
				ids[i] = id;
			assert_int_equal(id, ids[i]);
			size_t got;
			const uint32_t *back = stack_table_get_stack(t, id, &got);
			assert_int_equal(got, n);
			assert_memory_equal(back, frames, n * sizeof *frames);
		}
		assert_int_equal(stack_table_stacks(t), N);
	}
	stack_table_free(t);
}

static void very_deep(void **state)
{
	(void)state;
	size_t n = 1 << 20;
	uint32_t *frames = malloc(n * sizeof *frames);
	assert_non_null(frames);
	for (size_t i = 0; i < n; i++)
		frames[i] = (uint32_t)i;
	struct stack_table *t = stack_table_new();
	uint32_t id = stack_table_stack(t, frames, n);
	assert_int_equal(stack_table_stack(t, frames, n), id);
	assert_int_not_equal(stack_table_stack(t, frames, n - 1), id);
	size_t got;
	assert_memory_equal(stack_table_get_stack(t, id, &got), frames, n * sizeof *frames);
	stack_table_free(t);
	free(frames);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(frames_are_kept_once),
	        cmocka_unit_test(stacks_are_kept_once),
	        cmocka_unit_test(empty_stack),
	        cmocka_unit_test(many),
	        cmocka_unit_test(very_deep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
