/* SPDX-License-Identifier: MIT */
#include "proc/rss.h"

#include <stdlib.h>
#include <string.h>

bool proc_statm_parse(const char *text, struct proc_statm *out)
{
	uint64_t *field[] = {&out->size, &out->resident, &out->shared};
	for (int i = 0; i < 3; i++) {
		char *stop;
		*field[i] = strtoull(text, &stop, 10);
		if (stop == text)
			return false;
		text = stop;
	}
	return true;
}

static const char *value_of(const char *text, const char *key)
{
	size_t n = strlen(key);
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, n) == 0 && line[n] == ':')
			return line + n + 1;
	}
	return NULL;
}

bool proc_kb_field(const char *text, const char *key, uint64_t *bytes)
{
	const char *v = value_of(text, key);
	if (!v)
		return false;
	char *stop;
	*bytes = strtoull(v, &stop, 10) * 1024;
	return stop != v;
}

bool proc_status_parse(const char *text, struct proc_status *out)
{
	*out = (struct proc_status){0};
	const char *uid = value_of(text, "Uid"), *tracer = value_of(text, "TracerPid");
	const char *threads = value_of(text, "Threads");
	if (!uid || !tracer)
		return false;
	char *effective;
	strtoul(uid, &effective, 10); /* the real one comes first */
	out->uid = (uint32_t)strtoul(effective, NULL, 10);
	out->tracer = (uint32_t)strtoul(tracer, NULL, 10);
	out->threads = threads ? strtoull(threads, NULL, 10) : 0;
	out->found = proc_kb_field(text, "RssAnon", &out->anon) &&
	             proc_kb_field(text, "RssFile", &out->file) &&
	             proc_kb_field(text, "RssShmem", &out->shmem);
	proc_kb_field(text, "VmSwap", &out->swap);
	proc_kb_field(text, "VmHWM", &out->high_water);
	return true;
}
