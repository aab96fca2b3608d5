/* SPDX-License-Identifier: MIT */
#include "app/watch.h"

#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "module/modules.h"
#include "symbol/symbolizer.h"

#include <stdlib.h>
#include <string.h>

#define REFRESH_NS      NS_PER_S         /* between readings of the mappings while samples come */
#define REFRESH_SOON_NS (20 * NS_PER_MS) /* the same, when a walk met code that isn't known */
#define REFRESH_COST    50               /* times its own length, at least, until the next */

struct watch {
	struct process *process;
	const struct options *options;
	struct intern *strings;
	bool several, finished;
	uint64_t start_ns, end_ns;

	struct modules *modules;
	uint64_t refreshed_ns, refresh_cost_ns;
	struct unwinder *unwinder;
	struct symbolizer *symbolizer;
	struct engine *engine;
	struct chain *chain;
	uint32_t *frames; /* of the stack in work */
	size_t frames_len, frames_cap;

	struct profile *profile;
	uint64_t noise;
	uint64_t last_rss;
	struct walk_stats walk;
};

struct watch *watch_open(struct process *process, struct intern *strings, const struct options *o,
                         bool several, struct err *e)
{
	struct watch *w = mem_alloc(sizeof *w);
	const struct engine_config engine = {o->interval_ms, o->overhead_pct / 100};
	const struct modules_config modules = {.debuginfod = o->debuginfod};
	const struct symbolizer_config symbols = {.inlines = o->inlines};
	w->process = process;
	w->strings = strings;
	w->options = o;
	w->several = several;
	w->start_ns = w->refreshed_ns = clock_ns();
	w->noise = engine_rss_noise();
	w->profile = profile_new(w->noise);
	w->engine = engine_start(&engine_stops, process, &engine, e);
	if (!w->engine)
		goto fail;
	w->modules = modules_new(process, &modules);
	modules_refresh(w->modules);
	w->unwinder = o->unwinder->open(w->modules, process, e);
	if (!w->unwinder)
		goto fail;
	w->symbolizer = symbolizer_new(w->modules, strings, &symbols);
	w->chain = chain_new(o->max_frames);
	return w;
fail:
	watch_free(w);
	return NULL;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	engine_free(w->engine);
	symbolizer_free(w->symbolizer);
	if (w->unwinder)
		w->options->unwinder->close(w->unwinder);
	modules_free(w->modules);
	chain_free(w->chain);
	profile_free(w->profile);
	free(w->frames);
	process_free(w->process);
	free(w);
}

static void refresh(struct watch *w)
{
	uint64_t begin = clock_ns();
	bool changed = modules_refresh(w->modules);
	w->refreshed_ns = clock_ns();
	w->refresh_cost_ns = w->refreshed_ns - begin;
	if (!changed)
		return;
	w->options->unwinder->modules_changed(w->unwinder);
	symbolizer_modules_changed(w->symbolizer);
	process_rename(w->process); /* it may be an exec */
}

static bool refresh_is_due(const struct watch *w, uint64_t distance_ns)
{
	uint64_t since = clock_ns() - w->refreshed_ns;
	return since > distance_ns && since > REFRESH_COST * w->refresh_cost_ns;
}

/* Code of a library loaded since ends a walk, unless it is the leaf. */
static bool met_unknown_code(const struct watch *w)
{
	const struct chain *c = w->chain;
	return c->end == CHAIN_STUCK || c->end == CHAIN_NO_MEMORY ||
	       (c->len > 0 && !modules_mapped(w->modules, c->frames[0].pc));
}

static void walk(struct watch *w, const struct sample *s)
{
	const struct unwinder_ops *ops = w->options->unwinder;
	if (refresh_is_due(w, REFRESH_NS))
		refresh(w);
	ops->walk(w->unwinder, s, w->chain);
	if (met_unknown_code(w) && refresh_is_due(w, REFRESH_SOON_NS)) {
		refresh(w);
		ops->walk(w->unwinder, s, w->chain);
	}
	w->walk.live += w->chain->live;
	w->walk.cut += w->chain->end != CHAIN_COMPLETE;
	if (w->chain->stack_wanted > s->stack_len)
		engine_want_stack(w->engine, w->chain->stack_wanted);
}

static void push(struct watch *w, const struct frame *f)
{
	MEM_GROW(w->frames, w->frames_len, w->frames_cap);
	w->frames[w->frames_len++] = stack_table_frame(profile_stacks(w->profile), f);
}

/* A frame without code: a thread, the command, what is missing. */
static void push_heading(struct watch *w, const char *text)
{
	push(w, &(struct frame){.function = intern_str(w->strings, text), .line = -1});
}

static void push_roots(struct watch *w, const struct sample *s)
{
	char text[128];
	if (w->options->threads) {
		snprintf(text, sizeof text, "%.*s (tid %d)", (int)sizeof s->comm, s->comm,
		         (int)s->tid);
		push_heading(w, text);
	}
	const char *name = process_name(w->process);
	if (w->several)
		snprintf(text, sizeof text, "%s-%d", name, (int)process_pid(w->process));
	else
		snprintf(text, sizeof text, "%s", name);
	push_heading(w, text);
}

static void add_sample(struct watch *w, const struct sample *s)
{
	walk(w, s);
	w->frames_len = 0;
	for (size_t i = 0; i < w->chain->len; i++) {
		size_t n;
		const struct frame *f = symbolizer_lookup(w->symbolizer, w->chain->frames[i], &n);
		for (size_t j = 0; j < n; j++)
			push(w, &f[j]);
	}
	if (w->chain->end != CHAIN_COMPLETE)
		push_heading(w, "[truncated]");
	push_roots(w, s);
	uint32_t stack = stack_table_stack(profile_stacks(w->profile), w->frames, w->frames_len);
	profile_add(w->profile, stack, s->weight);
	if (!w->walk.first_sample_ns)
		w->walk.first_sample_ns = clock_ns() - w->start_ns;
}

void watch_drain(struct watch *w)
{
	struct engine_message m;
	while (engine_next(w->engine, &m)) {
		switch (m.kind) {
		case ENGINE_RSS:
			if (!ledger_start(profile_ledger(w->profile)))
				w->last_rss = ledger_sum(m.rss);
			ledger_add(profile_ledger(w->profile), m.time_ns, m.rss);
			break;
		case ENGINE_MISSED:
			profile_miss(w->profile, m.missed);
			break;
		case ENGINE_SAMPLE:
			add_sample(w, m.sample);
			free(m.sample);
			break;
		}
	}
}

void watch_finish(struct watch *w)
{
	if (w->finished)
		return;
	engine_stop(w->engine);
	w->end_ns = clock_ns();
	watch_drain(w);
	w->finished = true;
}

bool watch_finished(const struct watch *w)
{
	return w->finished;
}

const struct process *watch_process(const struct watch *w)
{
	return w->process;
}

static uint64_t span(const struct watch *w)
{
	return (w->finished ? w->end_ns : clock_ns()) - w->start_ns;
}

struct output_target watch_output(const struct watch *w)
{
	return (struct output_target){
	        .command = process_name(w->process),
	        .pid = process_pid(w->process),
	        .profile = w->profile,
	        .kinds = w->options->kinds,
	};
}

void watch_report(struct watch *w, FILE *const *files, size_t n, unsigned number,
                  struct sources *sources)
{
	const struct output_target t = watch_output(w);
	const struct text_report r = {
	        .number = number,
	        .since_ns = span(w),
	        .top = w->options->top,
	        .last_rss = w->last_rss,
	        .engine = engine_stops.name,
	        .sources = sources,
	};
	for (size_t i = 0; i < n; i++)
		text_write_report(files[i], &t, &r);
	const struct ledger_point *now = ledger_now(profile_ledger(w->profile));
	if (now)
		w->last_rss = ledger_sum(now->bytes);
	profile_mark(w->profile);
}

void watch_summary(const struct watch *w, FILE *f, uint64_t cpu_ns)
{
	struct engine_stats stats;
	engine_get_stats(w->engine, &stats);
	const struct modules_stats m = modules_stats(w->modules);
	const struct output_target t = watch_output(w);
	const struct text_summary s = {
	        .since_ns = span(w),
	        .engine = engine_stops.name,
	        .stats = &stats,
	        .walk = &w->walk,
	        .noise = w->noise,
	        .modules = m.known,
	        .modules_missing = m.missing,
	        .modules_mismatched = m.mismatched,
	        .cpu_ns = cpu_ns,
	};
	text_write_summary(f, &t, &s);
}
