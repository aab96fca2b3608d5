/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "profile/tree.h"

#include <stdlib.h>
#include <string.h>

static void empty(void **state)
{
	(void)state;
	struct stack_table *t = stack_table_new();
	struct attribution a = {0};
	struct tree *tree = tree_build(t, &a);
	assert_int_equal(tree->len, 1);
	assert_int_equal(tree->nodes[0].total, 0);
	assert_int_equal(tree->nodes[0].frame, TREE_NONE);
	assert_int_equal(tree->nodes[0].parent, TREE_NONE);
	assert_int_equal(tree->nodes[0].first_child, TREE_NONE);
	tree_free(tree);
	tree_free(NULL);
	stack_table_free(t);
}

static uint32_t child_of(const struct tree *t, uint32_t parent, uint32_t frame)
{
	uint32_t at = t->nodes[parent].first_child;
	while (at != TREE_NONE && t->nodes[at].frame != frame)
		at = t->nodes[at].next;
	assert_int_not_equal(at, TREE_NONE);
	return at;
}

static void self_and_total(void **state)
{
	(void)state;
	struct stack_table *t = stack_table_new();
	enum { MAIN, LOAD, STORE, GROW };
	const uint32_t s0[] = {GROW, LOAD, MAIN}, s1[] = {LOAD, MAIN}, s2[] = {GROW, STORE, MAIN};
	const uint32_t s3[] = {GROW, GROW, LOAD, MAIN}, s4[] = {MAIN};
	stack_table_stack(t, s0, 3);
	stack_table_stack(t, s1, 2);
	stack_table_stack(t, s2, 3);
	stack_table_stack(t, s3, 4); /* recursion */
	stack_table_stack(t, s4, 1); /* without growth */
	uint64_t bytes[] = {10, 5, 40, 2, 0};
	struct attribution a = {.bytes = bytes, .len = 5};
	struct tree *tree = tree_build(t, &a);
	assert_int_equal(tree->len, 7);
	assert_int_equal(tree->nodes[0].total, 57);
	uint32_t main_ = child_of(tree, 0, MAIN), load = child_of(tree, main_, LOAD);
	uint32_t store = child_of(tree, main_, STORE), grow = child_of(tree, load, GROW);
	assert_int_equal(tree->nodes[main_].total, 57);
	assert_int_equal(tree->nodes[main_].self, 0);
	assert_int_equal(tree->nodes[load].total, 17);
	assert_int_equal(tree->nodes[load].self, 5);
	assert_int_equal(tree->nodes[grow].total, 12);
	assert_int_equal(tree->nodes[grow].self, 10);
	uint32_t again = child_of(tree, grow, GROW);
	assert_int_equal(tree->nodes[again].total, 2);
	assert_int_equal(tree->nodes[again].first_child, TREE_NONE);
	assert_int_equal(tree->nodes[store].total, 40);
	assert_int_equal(tree->nodes[main_].first_child, store); /* the largest comes first */
	assert_int_equal(tree->nodes[store].next, load);
	assert_int_equal(tree->nodes[load].next, TREE_NONE);
	assert_int_equal(tree->nodes[grow].parent, load);
	tree_free(tree);
	stack_table_free(t);
}

/* Every node's total is its own and its children's; all is reached, once; in order. */
static void random_trees(void **state)
{
	(void)state;
	struct rng r = rng_seeded(20);
	for (int round = 0; round < 40; round++) {
		struct stack_table *t = stack_table_new();
		uint64_t whole = 0, *bytes = calloc(300, sizeof *bytes);
		assert_non_null(bytes);
		for (int i = 0; i < 300; i++) {
			uint32_t frames[12];
			size_t n = rng_next(&r) % 12;
			for (size_t k = 0; k < n; k++)
				frames[k] = (uint32_t)(rng_next(&r) % 4);
			uint32_t s = stack_table_stack(t, frames, n);
			bytes[s] = rng_next(&r) % 4 ? rng_next(&r) % 1000 : 0;
		}
		struct attribution a = {.bytes = bytes, .len = stack_table_stacks(t)};
		for (size_t s = 0; s < a.len; s++)
			whole += bytes[s];
		struct tree *tree = tree_build(t, &a);
		assert_int_equal(tree->nodes[0].total, whole);
		size_t reached = 1;
		for (uint32_t i = 0; i < tree->len; i++) {
			const struct tree_node *n = &tree->nodes[i];
			uint64_t below = 0, last = UINT64_MAX;
			for (uint32_t c = n->first_child; c != TREE_NONE; c = tree->nodes[c].next) {
				assert_int_equal(tree->nodes[c].parent, i);
				assert_true(tree->nodes[c].total <= last);
				assert_true(tree->nodes[c].total > 0);
				below += last = tree->nodes[c].total;
				reached++;
			}
			assert_int_equal(n->total, n->self + below);
		}
		assert_int_equal(reached, tree->len);
		tree_free(tree);
		stack_table_free(t);
		free(bytes);
	}
}

static void same_totals_stand_in_a_fixed_order(void **state)
{
	(void)state;
	struct stack_table *t = stack_table_new();
	uint64_t bytes[20];
	for (uint32_t i = 0; i < 20; i++) {
		stack_table_stack(t, &i, 1);
		bytes[i] = 5;
	}
	struct attribution a = {.bytes = bytes, .len = 20};
	struct tree *tree = tree_build(t, &a);
	uint32_t expected = 0;
	for (uint32_t c = tree->nodes[0].first_child; c != TREE_NONE; c = tree->nodes[c].next)
		assert_int_equal(tree->nodes[c].frame, expected++);
	assert_int_equal(expected, 20);
	tree_free(tree);
	stack_table_free(t);
}

static void very_deep(void **state)
{
	(void)state;
	enum { DEEP = 100000 };
	static uint32_t frames[DEEP];
	struct stack_table *t = stack_table_new();
	stack_table_stack(t, frames, DEEP); /* one function, calling itself */
	uint64_t bytes[] = {UINT64_MAX};
	struct attribution a = {.bytes = bytes, .len = 1};
	struct tree *tree = tree_build(t, &a);
	assert_int_equal(tree->len, DEEP + 1);
	uint32_t at = 0;
	size_t depth = 0;
	for (; tree->nodes[at].first_child != TREE_NONE; at = tree->nodes[at].first_child, depth++)
		assert_int_equal(tree->nodes[at].total, UINT64_MAX);
	assert_int_equal(depth, DEEP);
	assert_int_equal(tree->nodes[at].self, UINT64_MAX);
	tree_free(tree);
	stack_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(empty),
	        cmocka_unit_test(self_and_total),
	        cmocka_unit_test(random_trees),
	        cmocka_unit_test(same_totals_stand_in_a_fixed_order),
	        cmocka_unit_test(very_deep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
