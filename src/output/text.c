/* SPDX-License-Identifier: MIT */
#include "output/text.h"

#include "base/clock.h"
#include "base/text.h"
#include "profile/callsite.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WHERE_SIZE  96
#define CALLERS     5
#define CALLER_SIZE 48

static double percent(uint64_t part, uint64_t whole)
{
	return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

/* "file.c:42", or the module where there is no line. */
static void where(const struct frame *f, char *out, size_t size)
{
	char text[512];
	if (!f->file || f->line <= 0) {
		text_printable(f->module ? f->module : "", out, size);
		return;
	}
	const char *slash = strrchr(f->file, '/');
	snprintf(text, sizeof text, "%s:%d", slash ? slash + 1 : f->file, f->line);
	text_printable(text, out, size);
}

/* Who called it, on its heaviest stack: "< handler < worker < main", without plumbing. */
static void write_callers(FILE *f, const struct stack_table *stacks, const struct callsite *c)
{
	size_t n, shown = 0;
	const uint32_t *frames = stack_table_get_stack(stacks, c->heaviest, &n);
	for (size_t i = callsite_of(stacks, frames, n) + 1; i < n && shown < CALLERS; i++) {
		const struct frame *frame = stack_table_get_frame(stacks, frames[i]);
		char name[CALLER_SIZE];
		if (frame->line < 0 || callsite_is_plumbing(frame))
			continue;
		text_printable(frame->function, name, sizeof name);
		fprintf(f, "%s < %s", shown++ ? "" : "                           ", name);
	}
	if (shown > 0)
		fputc('\n', f);
}

static void write_site(FILE *f, const struct stack_table *stacks, const struct callsite *c,
                       uint64_t whole, struct sources *sources)
{
	const struct frame *frame = stack_table_get_frame(stacks, c->frame);
	char bytes[TEXT_BYTES], name[400], place[WHERE_SIZE], line[160];
	text_printable(frame->function, name, sizeof name);
	where(frame, place, sizeof place);
	fprintf(f, "  %12s  %5.1f %%  %s%s%s%s%s\n", text_bytes((int64_t)c->bytes, bytes),
	        percent(c->bytes, whole), name, frame->inlined ? " (inlined)" : "",
	        *place ? "  [" : "", place, *place ? "]" : "");
	if (sources_line(sources, frame->file, frame->line, line, sizeof line))
		fprintf(f, "  %12s  %7s    | %s\n", "", "", line);
	write_callers(f, stacks, c);
}

static void write_table(FILE *f, const struct output_target *t, enum profile_span span,
                        const char *title, const struct text_report *r)
{
	struct attribution a = profile_attribute(t->profile, span, t->kinds);
	uint64_t whole = a.grown + a.unattributed;
	char grown[TEXT_BYTES], released[TEXT_BYTES], rest[TEXT_BYTES];
	fprintf(f, "\n%s: grown %s, released %s\n", title, text_bytes((int64_t)whole, grown),
	        text_bytes((int64_t)a.released, released));
	const struct stack_table *stacks = profile_stacks(t->profile);
	size_t len;
	struct callsite *sites = callsites(stacks, &a, &len);
	uint64_t others = 0;
	for (size_t i = 0; i < len; i++) {
		if (i < r->top)
			write_site(f, stacks, &sites[i], whole, r->sources);
		else
			others += sites[i].bytes;
	}
	if (others > 0)
		fprintf(f, "  %12s  %5.1f %%  [%zu more call sites]\n",
		        text_bytes((int64_t)others, rest), percent(others, whole), len - r->top);
	if (a.unattributed > 0)
		fprintf(f, "  %12s  %5.1f %%  [unattributed]\n",
		        text_bytes((int64_t)a.unattributed, rest), percent(a.unattributed, whole));
	if (whole == 0)
		fprintf(f, "  nothing grew\n");
	free(sites);
	attribution_free(&a);
}

void text_write_report(FILE *f, const struct output_target *t, const struct text_report *r)
{
	const struct ledger *l = profile_ledger(t->profile);
	const struct ledger_point *start = ledger_start(l), *now = ledger_now(l);
	fprintf(f, "memtop: report %u of %s (pid %d), %.1f s, engine %s\n", r->number, t->command,
	        (int)t->pid, (double)r->since_ns / 1e9, r->engine);
	if (!now) {
		fprintf(f, "RSS could not be read yet\n\n");
		return;
	}
	uint64_t rss = ledger_sum(now->bytes), first = ledger_sum(start->bytes);
	char b[6][TEXT_BYTES];
	fprintf(f,
	        "RSS %s (anon %s, file %s, shmem %s), %s since the last report, %s since the "
	        "start\n",
	        text_bytes((int64_t)rss, b[0]), text_bytes((int64_t)now->bytes[MEM_ANON], b[1]),
	        text_bytes((int64_t)now->bytes[MEM_FILE], b[2]),
	        text_bytes((int64_t)now->bytes[MEM_SHMEM], b[3]),
	        text_delta((int64_t)(rss - r->last_rss), b[4]),
	        text_delta((int64_t)(rss - first), b[5]));
	write_table(f, t, PROFILE_SINCE_START, "Call sites since the start", r);
	if (r->number > 1)
		write_table(f, t, PROFILE_SINCE_MARK, "Call sites since the last report", r);
	else
		fputs("\nCall sites since the last report: this is the first\n", f);
	fputc('\n', f);
}
