/* SPDX-License-Identifier: MIT */
#include "build.h"

#include "output/folder.h"
#include "output/text.h"

#include <sys/stat.h>
#include <unistd.h>

/* noinline: gcc 12 takes the stream's memory for a local variable otherwise. */
static __attribute__((noinline)) char *report(const struct build *b, const struct text_report *r)
{
	struct output_target t = build_target(b);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	assert_non_null(f);
	text_write_report(f, &t, r);
	fclose(f);
	return text;
}

static struct text_report plain(struct sources *s)
{
	return (struct text_report){
	        .number = 2, .since_ns = 1500000000, .top = 20, .engine = "stops", .sources = s};
}

static void check_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is missing in:\n%s", part, text);
}

static void check_hasnt(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("\"%s\" is in:\n%s", part, text);
}

/* ---- reports ---- */

static void before_the_first_reading(void **state)
{
	(void)state;
	struct build b = {.strings = intern_new(), .profile = profile_new(0)};
	struct sources *s = sources_new();
	struct text_report r = plain(s);
	char *text = report(&b, &r);
	assert_string_equal(text, "memtop: report 2 of prog (pid 42), 1.5 s, engine stops\n"
	                          "RSS could not be read yet\n\n");
	free(text);
	sources_free(s);
	build_free(&b);
}

static void nothing_grew(void **state)
{
	(void)state;
	struct build b = build_new();
	struct sources *s = sources_new();
	struct text_report r = plain(s);
	build_rss(&b, 0, 0, 0);
	char *text = report(&b, &r);
	check_has(text, "RSS 0 B (anon 0 B, file 0 B, shmem 0 B), 0 B since the last report, 0 B "
	                "since the start\n");
	check_has(text, "Call sites since the start: grown 0 B, released 0 B\n  nothing grew\n");
	free(text);
	sources_free(s);
	build_free(&b);
}

static void call_sites(void **state)
{
	(void)state;
	struct build b = build_new();
	struct sources *s = sources_new();
	struct text_report r = plain(s);
	build_stack(&b, 3072, STACK("main", "load", "malloc"));
	build_stack(&b, 1024, STACK("main", "store"));
	r.last_rss = 1024;
	build_rss(&b, 4096, 2048, 1024);
	build_rss(&b, 4096, 1024, 1024);
	char *text = report(&b, &r);
	check_has(text, "RSS 6.0 KiB (anon 4.0 KiB, file 1.0 KiB, shmem 1.0 KiB), +5.0 KiB since "
	                "the last report, +6.0 KiB since the start\n");
	check_has(text, "Call sites since the start: grown 7.0 KiB, released 1.0 KiB\n");
	check_has(text, "       3.0 KiB   42.9 %  load  [prog]\n");
	check_has(text, "       1.0 KiB   14.3 %  store  [prog]\n");
	check_has(text, "       3.0 KiB   42.9 %  [unattributed]\n");
	check_hasnt(text, "malloc");
	assert_true(strstr(text, " load ") < strstr(text, " store "));
	free(text);
	sources_free(s);
	build_free(&b);
}

static void falling_rss(void **state)
{
	(void)state;
	struct build b = build_new();
	struct sources *s = sources_new();
	struct text_report r = plain(s);
	build_rss(&b, 8192, 0, 0);
	build_rss(&b, 1024, 0, 0);
	r.last_rss = 8192;
	char *text = report(&b, &r);
	check_has(text, "-7.0 KiB since the last report, +1.0 KiB since the start\n");
	check_has(text, "grown 8.0 KiB, released 7.0 KiB\n");
	free(text);
	sources_free(s);
	build_free(&b);
}

static void top(void **state)
{
	(void)state;
	struct build b = build_new();
	struct sources *s = sources_new();
	struct text_report r = plain(s);
	for (int i = 0; i < 10; i++) {
		char name[32];
		snprintf(name, sizeof name, "site%d", i);
		build_stack(&b, 1024 * (uint64_t)(10 - i), STACK("main", name));
	}
	r.top = 3;
	char *text = report(&b, &r);
	check_has(text, "site2");
	check_hasnt(text, "site3");
	check_has(text, "      28.0 KiB   50.9 %  [7 more call sites]\n");
	free(text);
	r.top = 10;
	text = report(&b, &r);
	check_has(text, "site9");
	check_hasnt(text, "more call sites");
	free(text);
	sources_free(s);
	build_free(&b);
}

static void since_the_last_report(void **state)
{
	(void)state;
	struct build b = build_new();
	struct sources *s = sources_new();
	struct text_report r = plain(s);
	build_stack(&b, 4096, STACK("main", "early"));
	profile_mark(b.profile);
	build_stack(&b, 1024, STACK("main", "later"));
	char *text = report(&b, &r), *second = strstr(text, "Call sites since the last report");
	assert_non_null(second);
	check_has(text, "early");
	check_hasnt(second, "early");
	check_has(second, "       1.0 KiB  100.0 %  later  [prog]\n");
	free(text);
	sources_free(s);
	build_free(&b);
}

/* Source lines, file names and functions come from the target. */
static void hostile_frames(void **state)
{
	(void)state;
	char path[] = "/tmp/memtop-test-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_int_equal(write(fd, "one\n\t two\x1b[2J\t\x9b\r\n", 18), 18);
	close(fd);
	struct build b = build_new();
	struct sources *s = sources_new();
	struct text_report r = plain(s);
	const struct frame f = {
	        .function = "f\x1b[31m\n", .file = path, .line = 2, .inlined = true};
	const struct frame g = {
	        .function = "g", .module = "lib\x07.so", .file = "/x/\x1b]0;\n.c", .line = 1 << 30};
	const uint32_t frames[] = {build_frame(&b, &f), build_frame(&b, &g)};
	static const double weight[MEM_KINDS] = {1, 1, 1};
	struct stack_table *t = profile_stacks(b.profile);
	profile_add(b.profile, stack_table_stack(t, &frames[0], 1), weight);
	profile_add(b.profile, stack_table_stack(t, &frames[1], 1), weight);
	build_rss(&b, 2048, 0, 0);
	char *text = report(&b, &r);
	unlink(path);
	for (const char *c = text; *c; c++)
		assert_true(*c == '\n' || ((unsigned char)*c >= 0x20 && (unsigned char)*c < 0x7f));
	check_has(text, "f\\x1b[31m\\x0a (inlined)  [memtop-test-");
	check_has(text, ":2]\n");
	check_has(text, "| two\\x1b[2J \\x9b\n");
	check_has(text, "g  [\\x1b]0;\\x0a.c:1073741824]\n");
	free(text);
	sources_free(s);
	build_free(&b);
}

/* ---- the tree ---- */

static void tree(void **state)
{
	(void)state;
	struct build b = build_new();
	build_stack(&b, 6144, STACK("main", "load", "grow"));
	build_stack(&b, 2048, STACK("main", "load"));
	build_stack(&b, 8192, STACK("main", "store", "grow"));
	build_stack(&b, 10, STACK("main", "crumb", "crumb")); /* below 0.5 % */
	build_stack(&b, 16384 - 10, STACK("thread"));
	char *text = build_text(&output_tree, &b, 1);
	assert_string_equal(text, "       TOTAL         SELF    SHARE  prog (pid 42)\n"
	                          "    16.0 KiB                50.0 %  main\n"
	                          "     8.0 KiB      2.0 KiB   25.0 %   load\n"
	                          "     6.0 KiB      6.0 KiB   18.8 %    grow\n"
	                          "     8.0 KiB                25.0 %   store\n"
	                          "     8.0 KiB      8.0 KiB   25.0 %    grow\n"
	                          "    16.0 KiB     16.0 KiB   50.0 %  thread\n");
	free(text);
	build_free(&b);
}

static void tree_of_nothing(void **state)
{
	(void)state;
	struct build b[2] = {build_new(), build_new()};
	char *text = build_text(&output_tree, b, 2);
	assert_string_equal(text, "       TOTAL         SELF    SHARE  prog (pid 42)\n"
	                          "       TOTAL         SELF    SHARE  prog (pid 42)\n");
	free(text);
	build_free(&b[0]);
	build_free(&b[1]);
}

static void deep_tree(void **state)
{
	(void)state;
	enum { DEEP = 5000 };
	static uint32_t frames[DEEP];
	struct build b = build_new();
	const double weight[MEM_KINDS] = {1, 0, 0};
	for (int i = 0; i < DEEP; i++) {
		char name[16];
		snprintf(name, sizeof name, "f%d\n", i);
		frames[i] = build_frame(&b, &(struct frame){.function = name});
	}
	profile_add(b.profile, stack_table_stack(profile_stacks(b.profile), frames, DEEP), weight);
	build_rss(&b, 4096, 0, 0);
	char *text = build_text(&output_tree, &b, 1);
	size_t lines = 0, widest = 0, width = 0;
	for (const char *c = text; *c; c++) {
		width = *c == '\n' ? 0 : width + 1;
		widest = width > widest ? width : widest;
		lines += *c == '\n';
	}
	assert_int_equal(lines, DEEP + 1);
	assert_true(widest < 120);
	check_has(text, "f0\\x0a\n");
	free(text);
	build_free(&b);
}

static void rss_series(void **state)
{
	(void)state;
	struct build b = build_new();
	build_rss(&b, 4096, 100, 0);
	build_rss(&b, 8192, 100, 7);
	char *text = build_text(&output_rss, &b, 1);
	assert_string_equal(text, "seconds,pid,anon,file,shmem\n"
	                          "0.0000,42,0,0,0\n"
	                          "1.0000,42,4096,100,0\n"
	                          "2.0000,42,8192,100,7\n");
	free(text);
	struct build none = {.strings = intern_new(), .profile = profile_new(0)};
	text = build_text(&output_rss, &none, 1);
	assert_string_equal(text, "seconds,pid,anon,file,shmem\n");
	free(text);
	build_free(&none);
	build_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(before_the_first_reading),
	        cmocka_unit_test(nothing_grew),
	        cmocka_unit_test(call_sites),
	        cmocka_unit_test(falling_rss),
	        cmocka_unit_test(top),
	        cmocka_unit_test(since_the_last_report),
	        cmocka_unit_test(hostile_frames),
	        cmocka_unit_test(tree),
	        cmocka_unit_test(tree_of_nothing),
	        cmocka_unit_test(deep_tree),
	        cmocka_unit_test(rss_series),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
