/* SPDX-License-Identifier: MIT */
#include "build.h"

#include "base/rng.h"

static void check(const struct build *b, size_t n, const char *expected)
{
	char *text = build_text(&output_folded, b, n);
	assert_string_equal(text, expected);
	free(text);
}

static void nothing(void **state)
{
	(void)state;
	struct build b = build_new();
	check(&b, 0, "");
	check(&b, 1, "");
	build_stack(&b, 0, STACK("main"));
	check(&b, 1, "");
	build_free(&b);
}

static void root_first(void **state)
{
	(void)state;
	struct build b = build_new();
	build_stack(&b, 4096, STACK("main", "load", "grow"));
	check(&b, 1, "main;load;grow 4096\n");
	build_free(&b);
}

static void sorted(void **state)
{
	(void)state;
	struct build b = build_new();
	build_stack(&b, 1, STACK("main", "z"));
	build_stack(&b, 2, STACK("main"));
	build_stack(&b, 3, STACK("a", "b", "c"));
	build_stack(&b, 4, STACK("main", "a", "z"));
	build_stack(&b, 5, STACK("main", "a"));
	check(&b, 1, "a;b;c 3\nmain 2\nmain;a 5\nmain;a;z 4\nmain;z 1\n");
	build_free(&b);
}

/* Frames that differ in what is not written are one here. */
static void merged(void **state)
{
	(void)state;
	struct build b = build_new();
	struct stack_table *t = profile_stacks(b.profile);
	for (int i = 0; i < 4; i++) {
		const struct frame leaf = {.function = "f",
		                           .module = i % 2 ? "a" : "b",
		                           .file = i / 2 ? "x.c" : NULL,
		                           .line = i};
		const uint32_t frame = build_frame(&b, &leaf);
		const double weight[MEM_KINDS] = {100, 0, 0};
		profile_add(b.profile, stack_table_stack(t, &frame, 1), weight);
	}
	build_rss(&b, 400, 0, 0);
	assert_int_equal(stack_table_stacks(t), 4);
	check(&b, 1, "f 400\n");
	build_free(&b);
}

static void targets_are_merged(void **state)
{
	(void)state;
	struct build b[2] = {build_new(), build_new()};
	build_stack(&b[0], 10, STACK("main", "f"));
	build_stack(&b[0], 1, STACK("main", "only"));
	build_stack(&b[1], 20, STACK("main", "f"));
	check(b, 2, "main;f 30\nmain;only 1\n");
	build_free(&b[0]);
	build_free(&b[1]);
}

static void kinds(void **state)
{
	(void)state;
	struct build b = build_new();
	build_stack(&b, 100, STACK("main"));
	struct output_target t = build_target(&b);
	t.kinds = 1U << MEM_FILE;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	output_folded.write(f, &t, 1);
	fclose(f);
	assert_string_equal(text, "");
	free(text);
	build_free(&b);
}

static void names_are_escaped(void **state)
{
	(void)state;
	struct build b = build_new();
	build_stack(&b, 1, STACK("a;b", "c\nd 99", "\x1b[31m", "", "operator new(unsigned long)"));
	check(&b, 1, "a\\x3bb;c\\x0ad 99;\\x1b[31m;[no name];operator new(unsigned long) 1\n");
	build_free(&b);
}

/* Whatever byte is in a name: one line, the same number of frames, no control character. */
static void every_byte(void **state)
{
	(void)state;
	for (unsigned c = 1; c < 256; c++) {
		struct build b = build_new();
		char name[] = {'a', (char)c, 'b', (char)c, '\0'};
		build_stack(&b, 7, STACK("main", name, "leaf"));
		char *text = build_text(&output_folded, &b, 1);
		size_t len = strlen(text), parts = 0;
		assert_string_equal(text + len - 8, ";leaf 7\n");
		for (size_t i = 0; i + 1 < len; i++) {
			parts += text[i] == ';';
			assert_true((unsigned char)text[i] >= 0x20 &&
			            (unsigned char)text[i] < 0x7f);
		}
		assert_int_equal(parts, 2);
		free(text);
		build_free(&b);
	}
}

static void long_names_are_cut(void **state)
{
	(void)state;
	struct build b = build_new();
	char *name = malloc(100001);
	assert_non_null(name);
	memset(name, 'x', 100000);
	name[100000] = '\0';
	build_stack(&b, 5, STACK("main", name));
	char *text = build_text(&output_folded, &b, 1);
	assert_true(strlen(text) < 5000);
	assert_memory_equal(text, "main;xxxx", 9);
	assert_non_null(strstr(text, "xx... 5\n"));
	free(text);
	free(name);
	build_free(&b);
}

/* The numbers add up to the growth, whatever the stacks. */
static void adds_up(void **state)
{
	(void)state;
	static const char *const names[] = {"a", "b;", "c\n", "d"};
	struct rng r = rng_seeded(21);
	for (int round = 0; round < 50; round++) {
		struct build b = build_new();
		for (int i = 0; i < 40; i++) {
			const char *stack[5] = {"main"};
			for (int k = 1; k < 4; k++)
				stack[k] = rng_next(&r) % 4 ? names[rng_next(&r) % 4] : NULL;
			build_stack(&b, rng_next(&r) % 100000, stack);
		}
		char *text = build_text(&output_folded, &b, 1), *last = NULL;
		uint64_t sum = 0;
		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
			char *blank = strrchr(line, ' ');
			assert_non_null(blank);
			char *end;
			sum += strtoull(blank + 1, &end, 10);
			assert_int_equal(*end, '\0');
			*blank = '\0';
			assert_true(!last || strcmp(last, line) < 0); /* sorted, each once */
			last = line;
		}
		assert_int_equal(sum, b.grown);
		free(text);
		build_free(&b);
	}
}

/* ---- which format ---- */

static void by_extension(void **state)
{
	(void)state;
	assert_ptr_equal(output_for("-"), &output_folded);
	assert_ptr_equal(output_for("a.folded"), &output_folded);
	assert_ptr_equal(output_for("/x.y/a.b.folded"), &output_folded);
	assert_null(output_for(""));
	assert_null(output_for("a"));
	assert_null(output_for(".folded")); /* a name, not an extension */
	assert_null(output_for("a.folded.gz"));
	assert_null(output_for("a.Folded"));
	assert_null(output_for("afolded"));
	assert_null(output_for("--"));
	assert_non_null(strstr(output_extensions(), output_folded.extension));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(nothing),
	        cmocka_unit_test(root_first),
	        cmocka_unit_test(sorted),
	        cmocka_unit_test(merged),
	        cmocka_unit_test(targets_are_merged),
	        cmocka_unit_test(kinds),
	        cmocka_unit_test(names_are_escaped),
	        cmocka_unit_test(every_byte),
	        cmocka_unit_test(long_names_are_cut),
	        cmocka_unit_test(adds_up),
	        cmocka_unit_test(by_extension),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
