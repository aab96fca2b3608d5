/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/options.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ARGS 16

/* getopt sorts its argument vector, so each test has a copy. */
struct parsed {
	struct options o;
	struct err e;
	char **argv;
	bool ok;
};

static struct parsed parse(const char *environment, const char *const *args)
{
	struct parsed p = {.e = {""}, .argv = calloc(MAX_ARGS, sizeof(char *))};
	int argc = 0;
	assert_non_null(p.argv);
	p.argv[argc++] = strdup("memtop");
	for (; *args; args++)
		p.argv[argc++] = strdup(*args);
	p.ok = options_parse(&p.o, environment, argc, p.argv, &p.e);
	return p;
}

static void finish(struct parsed *p)
{
	options_clear(&p->o);
	options_clear(&p->o); /* twice is once */
	for (int i = 0; p->argv[i]; i++)
		free(p->argv[i]);
	free(p->argv);
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct parsed good(const char *environment, const char *const *args)
{
	struct parsed p = parse(environment, args);
	if (!p.ok)
		fail_msg("refused: %s", p.e.text);
	assert_string_equal(p.e.text, "");
	return p;
}

/* Refused, in one line that says these words. */
static void refused_by(const char *environment, const char *const *args, const char *words)
{
	struct parsed p = parse(environment, args);
	if (p.ok)
		fail_msg("\"%s\" was to be refused: %s", args[0] ? args[0] : "", words);
	assert_null(strchr(p.e.text, '\n'));
	if (!strstr(p.e.text, words))
		fail_msg("\"%s\" does not say \"%s\"", p.e.text, words);
	finish(&p);
}

static void refused(const char *const *args, const char *words)
{
	refused_by(NULL, args, words);
}

static bool near(double a, double b)
{
	return a - b < 1e-9 && b - a < 1e-9;
}

/* ---- what is good ---- */

static void defaults(void **state)
{
	(void)state;
	struct parsed p = good(NULL, ARGS("-p", "7"));
	assert_int_equal(p.o.pids_len, 1);
	assert_int_equal(p.o.pids[0], 7);
	assert_null(p.o.name);
	assert_null(p.o.command);
	assert_int_equal(p.o.records_len, 0);
	assert_true(near(p.o.delay_s, 1) && near(p.o.duration_s, 0));
	assert_true(near(p.o.interval_ms, 10) && near(p.o.overhead_pct, 1));
	assert_int_equal(p.o.count, 0);
	assert_ptr_equal(p.o.unwinder, &unwinder_libdw);
	assert_int_equal(p.o.max_frames, 1024);
	assert_int_equal(p.o.kinds, PROFILE_ALL_KINDS);
	assert_int_equal(p.o.top, 20);
	assert_true(p.o.inlines);
	assert_false(p.o.batch || p.o.kill || p.o.debuginfod || p.o.threads || p.o.quiet);
	assert_false(p.o.help || p.o.version);
	assert_int_equal(p.o.verbose, 0);
	assert_null(p.o.output_dir);
	finish(&p);
}

static void all_long(void **state)
{
	(void)state;
	struct parsed p =
	        good(NULL, ARGS("--name=server", "--record=a.folded", "--delay", "0.5", "--count=3",
	                        "--duration=60", "--interval=2.5", "--engine=stops", "--overhead=5",
	                        "--measure=grown", "--kind=file,anon", "--top=7", "--threads",
	                        "--unwinder=libunwind"));
	assert_string_equal(p.o.name, "server");
	assert_int_equal(p.o.records_len, 1);
	assert_string_equal(p.o.records[0].file, "a.folded");
	assert_ptr_equal(p.o.records[0].ops, &output_folded);
	assert_true(near(p.o.delay_s, 0.5));
	assert_int_equal(p.o.count, 3);
	assert_true(near(p.o.duration_s, 60));
	assert_true(near(p.o.interval_ms, 2.5));
	assert_true(near(p.o.overhead_pct, 5));
	assert_int_equal(p.o.kinds, 1U << MEM_FILE | 1U << MEM_ANON);
	assert_int_equal(p.o.top, 7);
	assert_true(p.o.threads);
	assert_ptr_equal(p.o.unwinder, &unwinder_libunwind);
	finish(&p);
	p = good(NULL, ARGS("--pid=1", "--batch", "--max-frames=64", "--no-inlines", "--debuginfod",
	                    "--output-dir=out", "--quiet", "--verbose", "--verbose"));
	assert_true(p.o.batch && p.o.debuginfod && p.o.quiet && !p.o.inlines);
	assert_int_equal(p.o.max_frames, 64);
	assert_string_equal(p.o.output_dir, "out");
	assert_int_equal(p.o.verbose, 2);
	finish(&p);
}

static void all_short(void **state)
{
	(void)state;
	struct parsed p = good(NULL, ARGS("-bqvv", "-p1", "-r", "a.folded", "-rb.folded", "-d2",
	                                  "-c", "9", "-t5", "-i1", "-eauto", "-o", "d"));
	assert_true(p.o.batch && p.o.quiet);
	assert_int_equal(p.o.verbose, 2);
	assert_int_equal(p.o.pids[0], 1);
	assert_int_equal(p.o.records_len, 2);
	assert_string_equal(p.o.records[1].file, "b.folded");
	assert_true(near(p.o.delay_s, 2) && near(p.o.duration_s, 5) && near(p.o.interval_ms, 1));
	assert_int_equal(p.o.count, 9);
	assert_string_equal(p.o.output_dir, "d");
	finish(&p);
}

static void several_pids(void **state)
{
	(void)state;
	struct parsed p = good(NULL, ARGS("-p", "3,1,2147483647", "-p", "2"));
	static const pid_t expected[] = {3, 1, 2147483647, 2};
	assert_int_equal(p.o.pids_len, 4);
	assert_memory_equal(p.o.pids, expected, sizeof expected);
	finish(&p);
}

static void command(void **state)
{
	(void)state;
	struct parsed p = good(NULL, ARGS("-b", "--kill", "--", "ls", "-l", "--", "-p"));
	assert_true(p.o.kill);
	assert_ptr_equal(p.o.command, &p.argv[4]);
	assert_string_equal(p.o.command[0], "ls");
	assert_string_equal(p.o.command[1], "-l");
	assert_string_equal(p.o.command[2], "--");
	assert_string_equal(p.o.command[3], "-p");
	assert_null(p.o.command[4]);
	assert_int_equal(p.o.pids_len, 0);
	finish(&p);
}

static void help_and_version_need_no_target(void **state)
{
	(void)state;
	struct parsed p = good(NULL, ARGS("-h"));
	assert_true(p.o.help);
	finish(&p);
	p = good(NULL, ARGS("--version"));
	assert_true(p.o.version);
	finish(&p);
	p = good(NULL, ARGS("--help", "--kill"));
	finish(&p);
}

static void help_names_every_option(void **state)
{
	(void)state;
	static const char *const words[] = {
	        "--record",      "--batch",      "--output-dir", "--top",      "--kind",
	        "--measure",     "--threads",    "--delay",      "--count",    "--duration",
	        "--kill",        "--interval",   "--engine",     "--overhead", "--unwinder",
	        "--max-frames",  "--no-inlines", "--debuginfod", "--quiet",    "--verbose",
	        "--help",        "--version",    "-p PID",       "-n NAME",    "-- COMMAND",
	        "MEMTOP_OPTIONS"};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (!strstr(options_help(), words[i]))
			fail_msg("the help says nothing of %s", words[i]);
}

static void later_ones_win(void **state)
{
	(void)state;
	struct parsed p = good(NULL, ARGS("-p1", "-i5", "-i6", "--kind=anon", "--kind=shmem",
	                                  "--unwinder=libunwind", "--unwinder=libdw"));
	assert_true(near(p.o.interval_ms, 6));
	assert_int_equal(p.o.kinds, 1U << MEM_SHMEM);
	assert_ptr_equal(p.o.unwinder, &unwinder_libdw);
	finish(&p);
}

static void numbers_at_their_limits(void **state)
{
	(void)state;
	struct parsed p = good(NULL, ARGS("-p1", "-d0.1", "-t0.1", "-i0.5", "--overhead=0.01",
	                                  "--top=1", "--max-frames=1", "-c1"));
	assert_int_equal(p.o.top, 1);
	finish(&p);
	p = good(NULL, ARGS("-p1", "-d86400", "-t1e9", "-i10000", "--overhead=100", "--top=1000000",
	                    "--max-frames=1000000", "-c18446744073709551615"));
	assert_int_equal(p.o.count, UINT64_MAX);
	finish(&p);
}

/* ---- what is refused ---- */

static void no_target(void **state)
{
	(void)state;
	refused(ARGS(NULL), "nothing to watch");
	refused(ARGS("-b"), "nothing to watch");
	refused(ARGS("--"), "nothing to watch");
	refused(ARGS("-p", ""), "a PID is missing");
	refused(ARGS("-n", ""), "no name is given");
}

static void several_targets(void **state)
{
	(void)state;
	refused(ARGS("-p1", "-n", "x"), "give one of");
	refused(ARGS("-p1", "--", "ls"), "give one of");
	refused(ARGS("-n", "x", "--", "ls"), "give one of");
	refused(ARGS("-p1,1"), "twice");
	refused(ARGS("-p1", "-p", "2,1"), "twice");
}

static void bad_pids(void **state)
{
	(void)state;
	static const char *const bad[] = {"0",   "-1",         "x",
	                                  "1x",  "2147483648", "1,,2",
	                                  ",",   ",1",         "99999999999999999999999999",
	                                  "1.5", "1;2",        "--",
	                                  "0x10"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		refused(ARGS("-p", bad[i]), "-p ");
}

/* A number too long for its buffer must not become another one. */
static void long_pid(void **state)
{
	(void)state;
	struct parsed p = parse(NULL, ARGS("-p", "0000000000000000000000000000001234"));
	bool right = !p.ok || p.o.pids[0] == 1234;
	finish(&p);
	assert_true(right);
}

static void bad_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *option, *values[12];
	} bad[] = {
	        {"-d", {"0", "0.09", "86401", "-1", "x", "1x", "", "nan", "inf", "1e999"}},
	        {"-t", {"0", "-5", "1e10", "x", "", "infinity", "1 2"}},
	        {"-i", {"0", "0.4", "10001", "-1", "ms", "5ms", "", "nan"}},
	        {"--overhead", {"0", "0.001", "101", "-1", "x", "1%", ""}},
	        {"-c", {"0", "-1", "x", "1.5", "", "18446744073709551616", "1e3"}},
	        {"--top", {"0", "-1", "1000001", "x", "", "99999999999999999999"}},
	        {"--max-frames", {"0", "-1", "1000001", "x", "1k", ""}},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		for (size_t k = 0; bad[i].values[k]; k++)
			refused(ARGS("-p1", bad[i].option, bad[i].values[k]), bad[i].option);
}

static void bad_words(void **state)
{
	(void)state;
	refused(ARGS("-p1", "-e", "faults"), "stops engine only");
	refused(ARGS("-p1", "-e", "x"), "there are auto and stops");
	refused(ARGS("-p1", "-e", ""), "there are auto and stops");
	refused(ARGS("-p1", "--measure=held"), "needs the faults engine");
	refused(ARGS("-p1", "--measure=released"), "needs the faults engine");
	refused(ARGS("-p1", "--measure=x"), "there is grown");
	refused(ARGS("-p1", "--kind=x"), "there are anon, file and shmem");
	refused(ARGS("-p1", "--kind=anon,x"), "there are anon, file and shmem");
	refused(ARGS("-p1", "--kind=anonymous"), "there are anon, file and shmem");
	refused(ARGS("-p1", "--kind="), "no kind is given");
	refused(ARGS("-p1", "--kind=,"), "there are anon, file and shmem");
	refused(ARGS("-p1", "--unwinder=gdb"), "there are libdw and libunwind");
	refused(ARGS("-p1", "-r", "a.svg"), "extension");
	refused(ARGS("-p1", "-r", "folded"), ".folded");
	refused(ARGS("-p1", "-r", ""), "extension");
}

static void bad_combinations(void **state)
{
	(void)state;
	refused(ARGS("-p1", "--kill"), "--kill is for -- COMMAND");
	refused(ARGS("-n", "x", "--kill"), "--kill is for -- COMMAND");
	refused(ARGS("-p1", "-b", "-r", "-"), "stdout");
	refused(ARGS("-p1", "-r", "-", "-r", "-"), "stdout");
	struct parsed p = good(NULL, ARGS("-p1", "-r", "-"));
	finish(&p);
}

static void stray_words(void **state)
{
	(void)state;
	refused(ARGS("ls"), "what is \"ls\"?");
	refused(ARGS("-p1", "ls", "-l"), "what is \"ls\"?");
	refused(ARGS("-p", "1", "2"), "what is \"2\"?");
	refused(ARGS("-"), "what is \"-\"?");
	refused(ARGS(""), "what is \"\"?");
}

static void unknown_options(void **state)
{
	(void)state;
	refused(ARGS("-p1", "-Z"), "no option -Z");
	refused(ARGS("--nonsense"), "no option --nonsense");
	refused(ARGS("--nonsense=5"), "no option --nonsense");
	refused(ARGS("-p"), "-p needs an argument");
	refused(ARGS("--record"), "--record needs an argument");
	refused(ARGS("-bp"), "needs an argument");
	refused(ARGS("--non\x1b[2J\nsense"), "--non\\x1b[2J\\x0asense");
	refused(ARGS("-\x1b"), "no option");
	refused(ARGS("-\xff"), "no option");
}

/* Not even from the command line does an escape sequence reach the terminal. */
static void unprintable_option(void **state)
{
	(void)state;
	refused(ARGS("-p1", "-\x1b"), "no option -\\x1b");
}

/* The option that is unknown is named, not its neighbour. */
static void unknown_in_a_cluster(void **state)
{
	(void)state;
	refused(ARGS("-p1", "-Zb"), "no option -Z");
	refused(ARGS("-p1", "--batch", "-Zq"), "no option -Z");
}

static void argument_not_wanted(void **state)
{
	(void)state;
	struct parsed p = parse(NULL, ARGS("-p1", "--batch=3"));
	assert_false(p.ok);
	assert_null(strstr(p.e.text, "no option")); /* there is one */
	finish(&p);
}

/* What was an option's argument isn't the -- before a command as well. */
static void dashes_as_an_argument(void **state)
{
	(void)state;
	refused(ARGS("-o", "--", "ls"), "\"ls\"");
}

/* ---- MEMTOP_OPTIONS ---- */

static void from_the_environment(void **state)
{
	(void)state;
	struct parsed p = good("-i 5 --kind=anon -r 'my file.folded' -q", ARGS("-p1"));
	assert_true(near(p.o.interval_ms, 5));
	assert_int_equal(p.o.kinds, 1U << MEM_ANON);
	assert_int_equal(p.o.records_len, 1);
	assert_string_equal(p.o.records[0].file, "my file.folded");
	assert_true(p.o.quiet);
	finish(&p);
	p = good("", ARGS("-p1"));
	finish(&p);
	p = good("  \t\n ", ARGS("-p1"));
	finish(&p);
	p = good("-p 7", ARGS(NULL)); /* even the target */
	assert_int_equal(p.o.pids[0], 7);
	finish(&p);
}

static void command_line_wins(void **state)
{
	(void)state;
	struct parsed p = good("-i5 --top=3 -c 2", ARGS("-p1", "-i", "6", "--top", "4"));
	assert_true(near(p.o.interval_ms, 6));
	assert_int_equal(p.o.top, 4);
	assert_int_equal(p.o.count, 2);
	finish(&p);
	p = good("-i5", ARGS("--", "ls", "-i7"));
	assert_true(near(p.o.interval_ms, 5));
	assert_string_equal(p.o.command[0], "ls");
	assert_ptr_equal(p.o.command, &p.argv[2]);
	finish(&p);
}

static void bad_environment(void **state)
{
	(void)state;
	refused_by("-i x", ARGS("-p1"), "-i x");
	refused_by("--nonsense", ARGS("-p1"), "--nonsense");
	refused_by("'open", ARGS("-p1"), "MEMTOP_OPTIONS");
	refused_by("'open", ARGS("-p1"), "open quote");
	refused_by("ls", ARGS("-p1"), "MEMTOP_OPTIONS holds options only");
	refused_by("-q ls", ARGS("-p1"), "MEMTOP_OPTIONS holds options only");
	refused_by("-- ls", ARGS("-p1"), "MEMTOP_OPTIONS holds options only");
	refused_by("-q ls -b", ARGS("-p1"), "MEMTOP_OPTIONS holds options only");
	char longer[2000];
	memset(longer, 'x', sizeof longer);
	longer[0] = '\'';
	longer[sizeof longer - 1] = '\0';
	refused_by(longer, ARGS("-p1"), "MEMTOP_OPTIONS: an open quote");
}

/* A -- there must not turn the command line's options into a command. */
static void dashes_in_the_environment(void **state)
{
	(void)state;
	struct parsed p = parse("-q --", ARGS("-p", "1"));
	bool right = !p.ok || (!p.o.command && p.o.pids_len == 1);
	finish(&p);
	assert_true(right);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(defaults),
	        cmocka_unit_test(all_long),
	        cmocka_unit_test(all_short),
	        cmocka_unit_test(several_pids),
	        cmocka_unit_test(command),
	        cmocka_unit_test(help_and_version_need_no_target),
	        cmocka_unit_test(help_names_every_option),
	        cmocka_unit_test(later_ones_win),
	        cmocka_unit_test(numbers_at_their_limits),
	        cmocka_unit_test(no_target),
	        cmocka_unit_test(several_targets),
	        cmocka_unit_test(bad_pids),
	        cmocka_unit_test(long_pid),
	        cmocka_unit_test(bad_numbers),
	        cmocka_unit_test(bad_words),
	        cmocka_unit_test(bad_combinations),
	        cmocka_unit_test(stray_words),
	        cmocka_unit_test(unknown_options),
	        cmocka_unit_test(unprintable_option),
	        cmocka_unit_test(unknown_in_a_cluster),
	        cmocka_unit_test(argument_not_wanted),
	        cmocka_unit_test(dashes_as_an_argument),
	        cmocka_unit_test(from_the_environment),
	        cmocka_unit_test(command_line_wins),
	        cmocka_unit_test(bad_environment),
	        cmocka_unit_test(dashes_in_the_environment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
