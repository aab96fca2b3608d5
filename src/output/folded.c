/* SPDX-License-Identifier: MIT */
/* Folded stacks, as flamegraph.pl, inferno and speedscope read them: "root;…;leaf BYTES". */
#include "output/output.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 4096

/* ';' parts frames, so one in a name is escaped like a control character. */
static void put_name(FILE *f, const char *name)
{
	char text[NAME_MAX_BYTES];
	text_printable(name, text, sizeof text);
	for (const char *s = text; *s; s++) {
		if (*s == ';')
			fputs("\\x3b", f);
		else
			fputc(*s, f);
	}
	if (!*text)
		fputs("[no name]", f);
}

static char *line_of(const struct stack_table *t, uint32_t stack)
{
	char *line = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&line, &len);
	if (!f)
		return mem_strdup("[out of memory]");
	size_t n;
	const uint32_t *frames = stack_table_get_stack(t, stack, &n);
	for (size_t i = n; i-- > 0;) {
		put_name(f, stack_table_get_frame(t, frames[i])->function);
		if (i > 0)
			fputc(';', f);
	}
	fclose(f);
	return line;
}

struct line {
	char *text;
	uint64_t bytes;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->text, ((const struct line *)b)->text);
}

static void add_target(const struct output_target *target, struct line **lines, size_t *len,
                       size_t *cap)
{
	struct attribution a =
	        profile_attribute(target->profile, PROFILE_SINCE_START, target->kinds);
	for (uint32_t s = 0; s < a.len; s++) {
		if (a.bytes[s] == 0)
			continue;
		MEM_GROW(*lines, *len, *cap);
		(*lines)[(*len)++] =
		        (struct line){line_of(profile_stacks(target->profile), s), a.bytes[s]};
	}
	attribution_free(&a);
}

/* Stacks that differ only in lines or modules look the same here, and become one. */
static void write_folded(FILE *f, const struct output_target *targets, size_t n)
{
	struct line *lines = NULL;
	size_t len = 0, cap = 0;
	for (size_t i = 0; i < n; i++)
		add_target(&targets[i], &lines, &len, &cap);
	if (len > 0)
		qsort(lines, len, sizeof *lines, by_text);
	for (size_t i = 0; i < len; i++) {
		if (i + 1 < len && strcmp(lines[i].text, lines[i + 1].text) == 0)
			lines[i + 1].bytes += lines[i].bytes;
		else
			fprintf(f, "%s %llu\n", lines[i].text, (unsigned long long)lines[i].bytes);
	}
	for (size_t i = 0; i < len; i++)
		free(lines[i].text);
	free(lines);
}

const struct output_ops output_folded = {
        .extension = ".folded",
        .what = "folded stacks for flame graphs",
        .write = write_folded,
};
