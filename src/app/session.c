/* SPDX-License-Identifier: MIT */
#include "app/session.h"

#include "app/loop.h"
#include "app/recorder.h"
#include "app/watch.h"
#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "symbol/source.h"
#include "target/find.h"
#include "target/spawn.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define DRAIN_NS      (20 * NS_PER_MS)
#define WRITE_NS      (3 * NS_PER_S)
#define KILL_GRACE_MS 5000

struct session {
	const struct options *options;
	struct log *log;
	struct loop *loop;
	struct intern *strings;
	struct sources *sources;
	struct recorder *recorder;
	struct watch **watches;
	size_t len;
	pid_t spawned; /* the command's PID, while it isn't reaped */
	unsigned reports;
	uint64_t start_ns, next_report_ns, next_write_ns;
	bool batch, failed;
};

static uint64_t cpu_ns(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * NS_PER_S +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * NS_PER_US;
}

/* A descriptor per active thread and per module: the soft limit of 1,024 may be too few. */
static void raise_file_limit(void)
{
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static bool add_target(struct session *s, pid_t pid, bool several, struct err *e)
{
	struct process *p = process_open(pid, e);
	if (!p)
		return false;
	struct watch *w = watch_open(p, s->strings, s->options, several, e);
	if (!w)
		return false;
	s->watches = mem_resize(s->watches, s->len + 1, sizeof *s->watches);
	s->watches[s->len++] = w;
	return loop_watch_exit(s->loop, process_pidfd(p), e);
}

/* What --verbose tells, and the log of an output folder keeps. */
static void describe(const struct session *s)
{
	const struct options *o = s->options;
	if (!s->log->verbose && !s->log->file)
		return;
	uint64_t step = engine_rss_noise();
	log_debug(s->log,
	          "engine stops (the only one in this version), mean interval %g ms, at most %g %% "
	          "of the time stopped",
	          o->interval_ms, o->overhead_pct);
	log_debug(s->log, "unwinder %s, at most %zu frames, inlined functions %s, debuginfod %s",
	          o->unwinder->name, o->max_frames, o->inlines ? "shown" : "not shown",
	          o->debuginfod ? "asked" : "not asked");
	if (step)
		log_debug(s->log,
		          "this kernel's RSS moves in steps of %" PRIu64
		          " bytes; smaller ups and downs are not booked",
		          step);
	else
		log_debug(s->log, "this kernel's RSS is exact to the page");
	for (size_t i = 0; i < s->len; i++) {
		const struct process *p = watch_process(s->watches[i]);
		int64_t off;
		if (engine_rss_deviation(p, &off))
			log_debug(s->log,
			          "%s (pid %d): statm and smaps_rollup differ by %" PRId64 " bytes",
			          process_name(p), (int)process_pid(p), off);
	}
}

static bool add_targets(struct session *s, struct err *e)
{
	const struct options *o = s->options;
	if (o->command) {
		s->spawned = spawn_start(o->command, loop_original_mask(s->loop), e);
		raise_file_limit();
		return s->spawned && add_target(s, s->spawned, false, e);
	}
	raise_file_limit();
	if (o->name) {
		pid_t pid = find_newest(o->name, e);
		return pid && add_target(s, pid, false, e);
	}
	for (size_t i = 0; i < o->pids_len; i++)
		if (!add_target(s, o->pids[i], o->pids_len > 1, e))
			return false;
	return true;
}

static bool open_session(struct session *s, struct err *e)
{
	s->strings = intern_new();
	s->sources = sources_new();
	s->loop = loop_new(e);
	if (!s->loop || !add_targets(s, e))
		return false;
	const struct process *first = watch_process(s->watches[0]);
	s->recorder = recorder_open(s->options, process_name(first), process_pid(first), s->log, e);
	if (!s->recorder)
		return false;
	describe(s);
	const struct options *o = s->options;
	s->batch = o->batch || (o->records_len == 0 && !o->output_dir);
	s->start_ns = clock_ns();
	s->next_report_ns = s->start_ns + (uint64_t)(o->delay_s * 1e9);
	s->next_write_ns = s->start_ns + WRITE_NS;
	return true;
}

static struct output_target *outputs(const struct session *s)
{
	struct output_target *t = mem_alloc(s->len * sizeof *t);
	for (size_t i = 0; i < s->len; i++)
		t[i] = watch_output(s->watches[i]);
	return t;
}

static bool write_files(struct session *s, bool final)
{
	struct output_target *t = outputs(s);
	bool ok = recorder_write(s->recorder, t, s->len, final);
	free(t);
	return ok;
}

/* False when nobody reads stdout any more. */
static bool report(struct session *s)
{
	FILE *files[2];
	size_t n = 0;
	if (s->batch)
		files[n++] = stdout;
	if (recorder_report(s->recorder))
		files[n++] = recorder_report(s->recorder);
	s->reports++;
	for (size_t i = 0; i < s->len; i++)
		watch_report(s->watches[i], files, n, s->reports, s->sources);
	if (!s->batch || (fflush(stdout) == 0 && !ferror(stdout)))
		return true;
	if (errno != EPIPE) {
		log_error(s->log, "can't write to stdout: %s", strerror(errno));
		s->failed = true;
	}
	return false;
}

static bool all_finished(const struct session *s)
{
	for (size_t i = 0; i < s->len; i++)
		if (!watch_finished(s->watches[i]))
			return false;
	return true;
}

static void say_exit(const struct session *s, const struct process *p)
{
	struct spawn_exit x = {0};
	if (process_pid(p) == s->spawned)
		x = spawn_reap(s->spawned);
	if (!x.known)
		log_info(s->log, "%s (pid %d) has ended", process_name(p), (int)process_pid(p));
	else if (x.signal)
		log_info(s->log, "%s (pid %d) was killed by signal %d (SIG%s)", process_name(p),
		         (int)process_pid(p), x.signal, sigabbrev_np(x.signal));
	else
		log_info(s->log, "%s (pid %d) exited with status %d", process_name(p),
		         (int)process_pid(p), x.status);
}

static void finish_ended(struct session *s)
{
	for (size_t i = 0; i < s->len; i++) {
		const struct process *p = watch_process(s->watches[i]);
		if (watch_finished(s->watches[i]) || process_alive(p))
			continue;
		watch_finish(s->watches[i]);
		say_exit(s, p);
		if (process_pid(p) == s->spawned)
			s->spawned = 0;
	}
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* One turn; false when the run is over. */
static bool turn(struct session *s, uint64_t end_ns)
{
	const struct options *o = s->options;
	uint64_t until = earliest(clock_ns() + DRAIN_NS, earliest(s->next_report_ns, end_ns));
	enum loop_event event = loop_wait(s->loop, until, o->command != NULL);
	for (size_t i = 0; i < s->len; i++)
		watch_drain(s->watches[i]);
	if (event == LOOP_EXIT)
		finish_ended(s);
	if (event == LOOP_QUIT || all_finished(s))
		return false;
	uint64_t now = clock_ns();
	if (now >= s->next_report_ns) {
		s->next_report_ns += (uint64_t)(o->delay_s * 1e9);
		if (s->next_report_ns < now)
			s->next_report_ns = now;
		if ((s->batch || recorder_report(s->recorder)) && !report(s))
			return false;
		s->reports += !s->batch && !recorder_report(s->recorder); /* --count goes on */
		if (o->count && s->reports >= o->count)
			return false;
	}
	if (now >= s->next_write_ns) {
		write_files(s, false);
		s->next_write_ns = now + WRITE_NS;
	}
	return now < end_ns;
}

static void summarize(struct session *s)
{
	uint64_t cpu = cpu_ns();
	for (size_t i = 0; i < s->len; i++) {
		if (!s->options->quiet)
			watch_summary(s->watches[i], stderr, cpu);
		if (recorder_summary(s->recorder))
			watch_summary(s->watches[i], recorder_summary(s->recorder), cpu);
	}
}

static void close_session(struct session *s)
{
	recorder_free(s->recorder);
	for (size_t i = 0; i < s->len; i++)
		watch_free(s->watches[i]);
	free(s->watches);
	sources_free(s->sources);
	intern_free(s->strings);
	loop_free(s->loop);
}

static void end_command(struct session *s)
{
	if (!s->spawned)
		return;
	if (s->options->kill) {
		spawn_end(s->spawned, KILL_GRACE_MS);
		if (s->len > 0)
			say_exit(s, watch_process(s->watches[0]));
	} else {
		log_info(s->log, "pid %d runs on", (int)s->spawned);
	}
}

int session_run(const struct options *o, struct log *l)
{
	struct session s = {.options = o, .log = l};
	struct err e;
	if (!open_session(&s, &e)) {
		log_error(l, "%s", e.text);
		if (s.spawned) {
			spawn_release(s.spawned);
			spawn_end(s.spawned, 0); /* it has not run an instruction yet */
		}
		close_session(&s);
		return 1;
	}
	if (s.spawned)
		spawn_release(s.spawned);
	uint64_t end =
	        o->duration_s > 0 ? s.start_ns + (uint64_t)(o->duration_s * 1e9) : UINT64_MAX;
	while (turn(&s, end))
		;
	for (size_t i = 0; i < s.len; i++)
		watch_finish(s.watches[i]);
	bool last = s.reports == 0 || !o->count || s.reports < o->count;
	if (last && (s.batch || recorder_report(s.recorder)))
		report(&s);
	bool written = write_files(&s, true);
	end_command(&s);
	summarize(&s);
	close_session(&s);
	return written && !s.failed ? 0 : 1;
}
