/* SPDX-License-Identifier: MIT */
#include "build.h"

#include "output/text.h"

static struct engine_stats stats;
static struct walk_stats walk;

static struct text_summary plain(void)
{
	memset(&stats, 0, sizeof stats);
	memset(&walk, 0, sizeof walk);
	return (struct text_summary){.since_ns = 2500000000,
	                             .engine = "stops",
	                             .stats = &stats,
	                             .walk = &walk,
	                             .cpu_ns = 20000000};
}

static char *summary(const struct build *b, const struct text_summary *s)
{
	struct output_target t = build_target(b);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	assert_non_null(f);
	text_write_summary(f, &t, s);
	fclose(f);
	return text;
}

/* The number behind a word of the line that begins with key. */
static uint64_t value(const char *text, const char *key, const char *word)
{
	char start[40];
	snprintf(start, sizeof start, "\n  %s", key);
	const char *line = strstr(text, start);
	if (!line) {
		fail_msg("no line \"%s\" in:\n%s", key, text);
		return 0;
	}
	const char *end = strchr(line + 1, '\n'), *at = strstr(line + strlen(start), word);
	if (!at || at > end)
		fail_msg("no \"%s\" in line \"%s\" of:\n%s", word, key, text);
	return strtoull(at + strlen(word), NULL, 10);
}

static void keys(void **state)
{
	(void)state;
	static const char *const expected[] = {
	        "RSS bytes", "growth bytes", "by kind", "looks",   "stops",
	        "samples",   "no sample",    "stopped", "modules", "memtop",
	};
	struct build b = build_new();
	struct text_summary s = plain();
	build_stack(&b, 4096, STACK("main"));
	char *text = summary(&b, &s), *line = text;
	static const char first[] = "memtop: summary of prog (pid 42), 2.50 s, engine stops\n";
	assert_memory_equal(line, first, sizeof first - 1);
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
		line = strchr(line, '\n') + 1;
		assert_memory_equal(line, "  ", 2);
		assert_memory_equal(line + 2, expected[i], strlen(expected[i]));
		size_t n = 2 + strlen(expected[i]); /* the values stand in one column */
		assert_int_equal(n + strspn(line + n, " "), 17);
	}
	line = strchr(line, '\n') + 1;
	assert_string_equal(line, "");
	free(text);
	build_free(&b);
}

static void growth_adds_up(void **state)
{
	(void)state;
	static const double missed[MEM_KINDS] = {5000, 0, 0};
	struct build b = build_new();
	struct text_summary s = plain();
	build_stack(&b, 10000, STACK("main", "f"));
	profile_miss(b.profile, missed);
	build_rss(&b, 15001, 777, 30);
	build_rss(&b, 9000, 700, 33);
	char *text = summary(&b, &s);
	assert_int_equal(value(text, "RSS bytes", "start "), 0);
	assert_int_equal(value(text, "RSS bytes", "peak "), 15001 + 777 + 30);
	assert_int_equal(value(text, "RSS bytes", "end "), 9733);
	assert_int_equal(value(text, "RSS bytes", "change +"), 9733);
	uint64_t grown = value(text, "growth bytes", "grown ");
	uint64_t released = value(text, "growth bytes", "released ");
	uint64_t rest = value(text, "growth bytes", "unattributed ");
	assert_int_equal(released, 15001 - 9000 + 77);
	assert_int_equal(grown + rest - released, 9733);
	assert_true(grown > 9999 && rest > 5000);
	assert_int_equal(value(text, "by kind", "anon +"), 15001);
	assert_int_equal(value(text, "by kind", "file +777 -"), 77);
	assert_int_equal(value(text, "by kind", "shmem +33 -"), 0);
	free(text);
	build_free(&b);
}

static void falling(void **state)
{
	(void)state;
	struct build b = {.strings = intern_new(), .profile = profile_new(0)};
	struct text_summary s = plain();
	build_rss(&b, 5000, 0, 0);
	build_rss(&b, 1000, 0, 0);
	char *text = summary(&b, &s);
	assert_int_equal(value(text, "RSS bytes", "change -"), 4000);
	assert_int_equal(value(text, "growth bytes", "released "), 4000);
	free(text);
	build_free(&b);
}

static void never_read(void **state)
{
	(void)state;
	struct build b = {.strings = intern_new(), .profile = profile_new(0)};
	struct text_summary s = plain();
	char *text = summary(&b, &s);
	assert_non_null(strstr(text, "\n  RSS bytes      could not be read"));
	assert_null(strstr(text, "growth bytes"));
	free(text);
	build_free(&b);
}

static void counters(void **state)
{
	(void)state;
	struct build b = build_new();
	struct text_summary s = plain();
	stats = (struct engine_stats){.looks = 1001,
	                              .grew = 102,
	                              .stops = 93,
	                              .late = 4,
	                              .failed = 5,
	                              .skipped = 6,
	                              .samples = 87,
	                              .lost = 8,
	                              .asleep = 9,
	                              .interval_ms = 12.5};
	walk = (struct walk_stats){.cut = 10, .live = 11, .first_sample_ns = 340000000};
	s.modules = 12;
	s.modules_missing = 13;
	s.modules_mismatched = 14;
	s.noise = 131072;
	for (int i = 0; i < 99; i++)
		histogram_add(&stats.window, 20000);
	histogram_add(&stats.window, 5000000);
	char *text = summary(&b, &s);
	assert_int_equal(value(text, "looks", " "), 1001);
	assert_int_equal(value(text, "looks", "("), 102);
	assert_int_equal(value(text, "looks", "mean interval "), 12);
	assert_int_equal(value(text, "stops", " "), 93);
	assert_int_equal(value(text, "stops", "late "), 4);
	assert_int_equal(value(text, "stops", "failed "), 5);
	assert_int_equal(value(text, "stops", "budget "), 6);
	assert_int_equal(value(text, "samples", " "), 87);
	assert_int_equal(value(text, "samples", "lost "), 8);
	assert_int_equal(value(text, "samples", "cut "), 10);
	assert_int_equal(value(text, "samples", "live memory "), 11);
	assert_int_equal(value(text, "no sample", " "), 9);
	assert_non_null(strstr(text, "\n  stopped        6.98 ms  0.279 % of the time"));
	assert_in_range(value(text, "stopped", "p50 "), 19, 20);
	assert_int_equal(value(text, "stopped", "max "), 5000);
	assert_int_equal(value(text, "modules", " "), 12);
	assert_int_equal(value(text, "modules", "without a file "), 13);
	assert_int_equal(value(text, "modules", "refused "), 14);
	assert_non_null(strstr(text, "\n  memtop         0.02 s of CPU time"));
	assert_non_null(strstr(text, "first named sample after 0.34 s"));
	assert_int_equal(value(text, "memtop", "steps of "), 131072);
	free(text);
	build_free(&b);
}

static void no_time_passed(void **state)
{
	(void)state;
	struct build b = build_new();
	struct text_summary s = plain();
	s.since_ns = 0;
	char *text = summary(&b, &s);
	assert_non_null(strstr(text, " 0.000 % of the time"));
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "inf"));
	free(text);
	build_free(&b);
}

/* --kind narrows the files, not the summary: that tells of all. */
static void whole_growth(void **state)
{
	(void)state;
	struct build b = build_new();
	struct text_summary s = plain();
	build_stack(&b, 4096, STACK("main"));
	struct output_target t = build_target(&b);
	t.kinds = 1U << MEM_SHMEM;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	text_write_summary(f, &t, &s);
	fclose(f);
	assert_int_equal(value(text, "growth bytes", "grown "), 4096);
	free(text);
	build_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(keys),         cmocka_unit_test(growth_adds_up),
	        cmocka_unit_test(falling),      cmocka_unit_test(never_read),
	        cmocka_unit_test(counters),     cmocka_unit_test(no_time_passed),
	        cmocka_unit_test(whole_growth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
