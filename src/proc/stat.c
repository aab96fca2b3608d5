/* SPDX-License-Identifier: MIT */
#include "proc/stat.h"

#include <stdlib.h>
#include <string.h>

/* Reads numbers separated by blanks from field `first`; those past the end stay 0. */
static int numbers(const char *s, uint64_t *out, int max)
{
	int n = 0;
	for (; n < max; n++) {
		char *stop;
		out[n] = strtoull(s, &stop, 10);
		if (stop == s)
			break;
		s = stop;
	}
	return n;
}

bool proc_stat_parse(const char *text, struct proc_stat *out)
{
	enum { PPID = 4, FLAGS = 9, MINFLT = 10, MAJFLT = 12, THREADS = 20, START = 22, CPU = 39 };
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	if (!open || !close || close < open || close[1] != ' ' || !close[2] || close[3] != ' ')
		return false;
	*out = (struct proc_stat){.pid = (pid_t)strtol(text, NULL, 10), .state = close[2]};
	size_t n = (size_t)(close - open - 1);
	if (n >= sizeof out->comm)
		n = sizeof out->comm - 1;
	memcpy(out->comm, open + 1, n);
	uint64_t field[CPU - PPID + 1] = {0};
	if (numbers(close + 4, field, CPU - PPID + 1) <= START - PPID)
		return false;
	out->ppid = (pid_t)field[0];
	out->flags = field[FLAGS - PPID];
	out->minflt = field[MINFLT - PPID];
	out->majflt = field[MAJFLT - PPID];
	out->num_threads = field[THREADS - PPID];
	out->cpu = (int)field[CPU - PPID];
	out->start_time = field[START - PPID];
	return true;
}
