/* SPDX-License-Identifier: MIT */
#include "app/options.h"

#include "app/words.h"
#include "base/mem.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPT_OVERHEAD = 256,
	OPT_MEASURE,
	OPT_KIND,
	OPT_TOP,
	OPT_THREADS,
	OPT_UNWINDER,
	OPT_MAX_FRAMES,
	OPT_NO_INLINES,
	OPT_DEBUGINFOD,
	OPT_KILL
};

static const struct option long_options[] = {
        {"pid", required_argument, NULL, 'p'},
        {"name", required_argument, NULL, 'n'},
        {"record", required_argument, NULL, 'r'},
        {"batch", no_argument, NULL, 'b'},
        {"delay", required_argument, NULL, 'd'},
        {"count", required_argument, NULL, 'c'},
        {"duration", required_argument, NULL, 't'},
        {"interval", required_argument, NULL, 'i'},
        {"engine", required_argument, NULL, 'e'},
        {"overhead", required_argument, NULL, OPT_OVERHEAD},
        {"measure", required_argument, NULL, OPT_MEASURE},
        {"kind", required_argument, NULL, OPT_KIND},
        {"top", required_argument, NULL, OPT_TOP},
        {"threads", no_argument, NULL, OPT_THREADS},
        {"unwinder", required_argument, NULL, OPT_UNWINDER},
        {"max-frames", required_argument, NULL, OPT_MAX_FRAMES},
        {"no-inlines", no_argument, NULL, OPT_NO_INLINES},
        {"debuginfod", no_argument, NULL, OPT_DEBUGINFOD},
        {"output-dir", required_argument, NULL, 'o'},
        {"kill", no_argument, NULL, OPT_KILL},
        {"quiet", no_argument, NULL, 'q'},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
};

/* '+': stop at the first word that is no option; ':': tell a missing argument from an unknown
 * option. */
static const char short_options[] = "+:p:n:r:bd:c:t:i:e:o:qvhV";

const char *options_help(void)
{
	return "Usage: memtop [OPTIONS] -p PID[,PID...]   watch a running process\n"
	       "       memtop [OPTIONS] -n NAME           watch the newest process of that name\n"
	       "       memtop [OPTIONS] -- COMMAND [ARG...]\n"
	       "                                          start one and watch it from its first "
	       "instruction\n"
	       "Shows which call sites make a process's resident memory grow.\n"
	       "\n"
	       "What to write:\n"
	       "  -r, --record FILE     write FILE, its format by extension: .folded (flame "
	       "graphs); may be\n"
	       "                        given several times; \"-\" is stdout\n"
	       "  -b, --batch           plain text reports on stdout, like top -b (the default so "
	       "far)\n"
	       "  -o, --output-dir DIR  a new time-stamped folder in DIR with everything and a "
	       "log\n"
	       "      --top N           call sites in a report (20)\n"
	       "      --kind LIST       only growth of these kinds: anon,file,shmem (all)\n"
	       "      --measure WHAT    grown (held and released need the faults engine, not in "
	       "this version)\n"
	       "      --threads         one root frame per thread\n"
	       "How long:\n"
	       "  -d, --delay SEC       between reports (1)\n"
	       "  -c, --count N         stop after N reports\n"
	       "  -t, --duration SEC    stop after SEC\n"
	       "      --kill            end COMMAND when memtop stops, instead of leaving it "
	       "running\n"
	       "How to look:\n"
	       "  -i, --interval MS     mean time between looks (10)\n"
	       "  -e, --engine ENGINE   auto or stops (faults is not in this version)\n"
	       "      --overhead PCT    share of wall time the target may be stopped (1)\n"
	       "      --unwinder NAME   libdw or libunwind (libdw)\n"
	       "      --max-frames N    frames per stack; longer ones end in [truncated] (1024)\n"
	       "      --no-inlines      no frames for inlined functions\n"
	       "      --debuginfod      ask debuginfod servers for debug information\n"
	       "  -q, --quiet           no summary at the end      -v, --verbose   say more\n"
	       "  -h, --help            this text                  -V, --version\n"
	       "\n"
	       "MEMTOP_OPTIONS in the environment gives default options. Exit status: 0 done (the "
	       "target's\n"
	       "end is normal), 1 failed, 2 wrong usage. The manual: man memtop\n";
}

static bool number(const char *text, const char *option, double least, double most, double *out,
                   struct err *e)
{
	char *end;
	errno = 0;
	double v = strtod(text, &end);
	if (end == text || *end || !isfinite(v) || v < least || v > most)
		return err_set(e, "%s %s: give a number from %g to %g", option, text, least, most);
	*out = v;
	return true;
}

static bool whole(const char *text, const char *option, unsigned long least, unsigned long most,
                  unsigned long *out, struct err *e)
{
	char *end;
	errno = 0;
	unsigned long v = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno || v < least || v > most)
		return err_set(e, "%s %s: give a whole number from %lu to %lu", option, text, least,
		               most);
	*out = v;
	return true;
}

/* The next of the words parted by commas in *list, copied to out; false at the end. A word that is
 * too long becomes one that is wrong anywhere. */
static bool next_item(const char **list, char *out, size_t size)
{
	if (!**list)
		return false;
	size_t n = strcspn(*list, ",");
	if (n < size)
		snprintf(out, size, "%.*s", (int)n, *list);
	else
		snprintf(out, size, "too long");
	*list += n;
	if (**list == ',')
		(*list)++;
	return true;
}

static bool parse_pids(struct options *o, const char *list, struct err *e)
{
	size_t n = strlen(list);
	char item[32];
	if (n == 0 || list[n - 1] == ',')
		return err_set(e, "-p %s: a PID is missing", list);
	while (next_item(&list, item, sizeof item)) {
		unsigned long pid;
		if (!whole(item, "-p", 1, INT_MAX, &pid, e))
			return false;
		for (size_t i = 0; i < o->pids_len; i++)
			if (o->pids[i] == (pid_t)pid)
				return err_set(e, "-p: pid %lu is given twice", pid);
		o->pids = mem_resize(o->pids, o->pids_len + 1, sizeof *o->pids);
		o->pids[o->pids_len++] = (pid_t)pid;
	}
	return true;
}

static bool parse_kinds(struct options *o, const char *list, struct err *e)
{
	static const char *const name[MEM_KINDS] = {"anon", "file", "shmem"};
	char item[32];
	o->kinds = 0;
	const char *rest = list;
	while (next_item(&rest, item, sizeof item)) {
		int k = 0;
		while (k < MEM_KINDS && strcmp(item, name[k]) != 0)
			k++;
		if (k == MEM_KINDS)
			return err_set(e, "--kind %s: there are anon, file and shmem", list);
		o->kinds |= 1U << k;
	}
	return o->kinds || err_set(e, "--kind: no kind is given; there are anon, file and shmem");
}

static bool parse_record(struct options *o, const char *file, struct err *e)
{
	const struct output_ops *ops = output_for(file);
	if (!ops)
		return err_set(
		        e,
		        "-r %s: the format goes by the extension, and this version writes %s only",
		        file, output_extensions());
	o->records = mem_resize(o->records, o->records_len + 1, sizeof *o->records);
	o->records[o->records_len++] = (struct record_option){file, ops};
	return true;
}

static bool parse_engine(const char *name, struct err *e)
{
	if (strcmp(name, "auto") == 0 || strcmp(name, "stops") == 0)
		return true;
	if (strcmp(name, "faults") == 0)
		return err_set(e, "-e faults: this version has the stops engine only; use -e stops "
		                  "or -e auto");
	return err_set(e, "-e %s: there are auto and stops", name);
}

static bool parse_measure(const char *name, struct err *e)
{
	if (strcmp(name, "grown") == 0)
		return true;
	if (strcmp(name, "held") == 0 || strcmp(name, "released") == 0)
		return err_set(e,
		               "--measure %s: that needs the faults engine, which this version "
		               "hasn't; use "
		               "--measure grown",
		               name);
	return err_set(e, "--measure %s: there is grown", name);
}

static bool parse_unwinder(struct options *o, const char *name, struct err *e)
{
	o->unwinder = unwinder_by_name(name);
	return o->unwinder || err_set(e, "--unwinder %s: there are libdw and libunwind", name);
}

static bool parse_size(const char *text, const char *option, unsigned long least,
                       unsigned long most, size_t *out, struct err *e)
{
	unsigned long v;
	if (!whole(text, option, least, most, &v, e))
		return false;
	*out = v;
	return true;
}

static bool parse_option(struct options *o, int c, const char *arg, struct err *e)
{
	switch (c) {
	case 'p':
		return parse_pids(o, arg, e);
	case 'n':
		o->name = arg;
		return *arg || err_set(e, "-n: no name is given");
	case 'r':
		return parse_record(o, arg, e);
	case 'b':
		o->batch = true;
		return true;
	case 'd':
		return number(arg, "-d", 0.1, 86400, &o->delay_s, e);
	case 'c':
		return whole(arg, "-c", 1, ULONG_MAX, &o->count, e);
	case 't':
		return number(arg, "-t", 0.1, 1e9, &o->duration_s, e);
	case 'i':
		return number(arg, "-i", 0.5, 10000, &o->interval_ms, e);
	case 'e':
		return parse_engine(arg, e);
	case 'o':
		o->output_dir = arg;
		return true;
	case 'q':
		o->quiet = true;
		return true;
	case 'v':
		o->verbose++;
		return true;
	case 'h':
		o->help = true;
		return true;
	case 'V':
		o->version = true;
		return true;
	case OPT_OVERHEAD:
		return number(arg, "--overhead", 0.01, 100, &o->overhead_pct, e);
	case OPT_MEASURE:
		return parse_measure(arg, e);
	case OPT_KIND:
		return parse_kinds(o, arg, e);
	case OPT_TOP:
		return parse_size(arg, "--top", 1, 1000000, &o->top, e);
	case OPT_THREADS:
		o->threads = true;
		return true;
	case OPT_UNWINDER:
		return parse_unwinder(o, arg, e);
	case OPT_MAX_FRAMES:
		return parse_size(arg, "--max-frames", 1, 1000000, &o->max_frames, e);
	case OPT_NO_INLINES:
		o->inlines = false;
		return true;
	case OPT_DEBUGINFOD:
		o->debuginfod = true;
		return true;
	case OPT_KILL:
		o->kill = true;
		return true;
	default:
		return err_set(e, "option %d is not handled", c);
	}
}

/* One argument vector: argv[0], the words of the environment, the rest. */
static char **merge(struct options *o, const char *environment, int argc, char **argv, int *merged,
                    struct err *e)
{
	size_t n = 0;
	o->owned = words_split(environment ? environment : "", &n, e);
	if (!o->owned) {
		struct err why = *e;
		err_set(e, "MEMTOP_OPTIONS: %.400s", why.text);
		return NULL;
	}
	char **all = mem_alloc(((size_t)argc + n + 1) * sizeof *all);
	all[0] = argv[0];
	memcpy(all + 1, o->owned, n * sizeof *all);
	memcpy(all + 1 + n, argv + 1, (size_t)(argc - 1) * sizeof *all);
	*merged = argc + (int)n;
	return all;
}

/* optopt is the letter of a short option, and 0 for a long one that is unknown (getopt(3)). */
static bool getopt_error(int c, char **args, struct err *e)
{
	const char *word = args[optind - 1];
	bool is_long = strncmp(word, "--", 2) == 0;
	char shown[200], letter[2] = {(char)optopt, '\0'};
	if (optopt != 0 && optopt < 256 && !(is_long && (c == ':' || strchr(word, '=')))) {
		text_printable(letter, shown, sizeof shown);
		return err_set(e, c == ':' ? "-%s needs an argument" : "there is no option -%s",
		               shown);
	}
	text_printable(word, shown, sizeof shown);
	if (c == ':')
		return err_set(e, "%s needs an argument", shown);
	return err_set(e, optopt ? "%s: this option takes no argument" : "there is no option %s",
	               shown);
}

/* What was asked for must make sense together. */
static bool check(const struct options *o, struct err *e)
{
	int targets = (o->pids_len > 0) + (o->name != NULL) + (o->command != NULL);
	if (targets == 0)
		return err_set(e, "nothing to watch: give -p PID, -n NAME or -- COMMAND");
	if (targets > 1)
		return err_set(e, "give one of -p PID, -n NAME and -- COMMAND");
	if (o->kill && !o->command)
		return err_set(e, "--kill is for -- COMMAND only: memtop never ends a process it "
		                  "did not start");
	size_t to_stdout = o->batch;
	for (size_t i = 0; i < o->records_len; i++)
		to_stdout += strcmp(o->records[i].file, "-") == 0;
	if (to_stdout > 1)
		return err_set(e, "only one of --batch and -r - can have stdout");
	return true;
}

/* What comes after the options: a command, behind "--", from the command line. */
static bool parse_rest(struct options *o, char **args, int n, int argc, char **argv,
                       const char *argument, struct err *e)
{
	const char *before = args[optind - 1];
	bool dashes = optind > 1 && strcmp(before, "--") == 0 && before != argument;
	int from_environment = n - argc; /* words, after argv[0] */
	if (optind - dashes <= from_environment && (dashes || optind < n))
		return err_set(e, "MEMTOP_OPTIONS holds options only, no command");
	if (optind == n)
		return true;
	if (!dashes)
		return err_set(e, "what is \"%.200s\"? A command to start comes after --",
		               args[optind]);
	o->command = argv + argc - (n - optind);
	return true;
}

bool options_parse(struct options *o, const char *environment, int argc, char **argv, struct err *e)
{
	*o = (struct options){
	        .delay_s = 1,
	        .interval_ms = 10,
	        .overhead_pct = 1,
	        .unwinder = &unwinder_libdw,
	        .max_frames = 1024,
	        .inlines = true,
	        .kinds = PROFILE_ALL_KINDS,
	        .top = 20,
	};
	int n, c;
	char **args = merge(o, environment, argc, argv, &n, e);
	if (!args)
		return false;
	optind = 0;
	opterr = 0;
	bool ok = true;
	const char *argument = NULL; /* of the last option */
	while (ok && (c = getopt_long(n, args, short_options, long_options, NULL)) != -1) {
		ok = c == '?' || c == ':' ? getopt_error(c, args, e)
		                          : parse_option(o, c, optarg, e);
		argument = optarg;
	}
	ok = ok && parse_rest(o, args, n, argc, argv, argument, e);
	free(args);
	return ok && (o->help || o->version || check(o, e));
}

void options_clear(struct options *o)
{
	free(o->pids);
	free(o->records);
	words_free(o->owned);
	*o = (struct options){0};
}
