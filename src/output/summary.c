/* SPDX-License-Identifier: MIT */
#include "output/text.h"

#include "base/text.h"

#include <inttypes.h>

static void write_growth(FILE *f, const struct output_target *t)
{
	const struct ledger *l = profile_ledger(t->profile);
	const struct ledger_point *start = ledger_start(l), *now = ledger_now(l);
	if (!start) {
		fprintf(f, "  RSS bytes      could not be read: it ended before the first look\n");
		return;
	}
	struct attribution a =
	        profile_attribute(t->profile, PROFILE_SINCE_START, PROFILE_ALL_KINDS);
	const struct ledger_total *k = ledger_total(l);
	uint64_t first = ledger_sum(start->bytes), last = ledger_sum(now->bytes);
	fprintf(f,
	        "  RSS bytes      start %" PRIu64 "  peak %" PRIu64 "  end %" PRIu64
	        "  change %+" PRId64 "\n",
	        first, ledger_peak(l), last, (int64_t)(last - first));
	fprintf(f,
	        "  growth bytes   grown %" PRIu64 "  released %" PRIu64 "  unattributed %" PRIu64
	        "\n",
	        a.grown, a.released, a.unattributed);
	fprintf(f,
	        "  by kind        anon +%" PRIu64 " -%" PRIu64 "  file +%" PRIu64 " -%" PRIu64
	        "  shmem +%" PRIu64 " -%" PRIu64 "\n",
	        k->grown[MEM_ANON], k->released[MEM_ANON], k->grown[MEM_FILE],
	        k->released[MEM_FILE], k->grown[MEM_SHMEM], k->released[MEM_SHMEM]);
	attribution_free(&a);
}

static void write_engine(FILE *f, const struct text_summary *s)
{
	const struct engine_stats *e = s->stats;
	double span = s->since_ns > 0 ? (double)s->since_ns : 1;
	fprintf(f, "  looks          %" PRIu64 " (%" PRIu64 " saw growth)  mean interval %.1f ms\n",
	        e->looks, e->grew, e->interval_ms);
	fprintf(f,
	        "  stops          %" PRIu64 "  late %" PRIu64 "  failed %" PRIu64
	        "  skipped for the budget %" PRIu64 "\n",
	        e->stops, e->late, e->failed, e->skipped);
	fprintf(f,
	        "  samples        %" PRIu64 "  lost %" PRIu64 "  cut %" PRIu64
	        "  finished from live memory %" PRIu64 "\n",
	        e->samples, e->lost, s->walk->cut, s->walk->live);
	fprintf(f,
	        "  no sample      %" PRIu64 " growing looks found nobody awake, %" PRIu64
	        " of them by a stop that came as the thread fell asleep\n",
	        e->asleep, e->dozed);
	fprintf(f,
	        "  stopped        %.2f ms  %.3f %% of the time  p50 %" PRIu64 " us  p99 %" PRIu64
	        " us  max %" PRIu64 " us\n",
	        (double)e->window.sum / 1e6, 100.0 * (double)e->window.sum / span,
	        histogram_quantile(&e->window, 0.5) / 1000,
	        histogram_quantile(&e->window, 0.99) / 1000, e->window.max / 1000);
}

void text_write_summary(FILE *f, const struct output_target *t, const struct text_summary *s)
{
	fprintf(f, "memtop: summary of %s (pid %d), %.2f s, engine %s\n", t->command, (int)t->pid,
	        (double)s->since_ns / 1e9, s->engine);
	write_growth(f, t);
	write_engine(f, s);
	fprintf(f, "  modules        %zu  without a file %zu  wrong file refused %zu\n", s->modules,
	        s->modules_missing, s->modules_mismatched);
	fprintf(f, "  memtop         %.2f s of CPU time", (double)s->cpu_ns / 1e9);
	if (s->walk->first_sample_ns)
		fprintf(f, ", first named sample after %.2f s",
		        (double)s->walk->first_sample_ns / 1e9);
	if (s->noise)
		fprintf(f, ", this kernel reads RSS in steps of %" PRIu64 " bytes", s->noise);
	fputc('\n', f);
}
