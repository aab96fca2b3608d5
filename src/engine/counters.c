/* SPDX-License-Identifier: MIT */
#include "engine/counters.h"

#include "base/clock.h"
#include "base/mem.h"
#include "proc/read.h"
#include "proc/rss.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

struct counters {
	const struct process *process;
	int statm, status;
	uint64_t shmem, shared; /* at the last reading of status; shared is file and shmem */
};

static void close_files(struct counters *c)
{
	if (c->statm >= 0)
		close(c->statm);
	if (c->status >= 0)
		close(c->status);
}

static bool open_files(struct counters *c)
{
	close_files(c);
	c->statm = process_openat(c->process, "statm", O_RDONLY);
	c->status = process_openat(c->process, "status", O_RDONLY);
	return c->statm >= 0 && c->status >= 0;
}

struct counters *counters_open(const struct process *p, struct err *e)
{
	struct counters *c = mem_alloc(sizeof *c);
	*c = (struct counters){.process = p, .statm = -1, .status = -1, .shared = UINT64_MAX};
	if (open_files(c))
		return c;
	err_sys(e, errno, "can't read the memory counters of %s (pid %d)", process_name(p),
	        (int)process_pid(p));
	counters_close(c);
	return NULL;
}

void counters_close(struct counters *c)
{
	if (!c)
		return;
	close_files(c);
	free(c);
}

/* All kinds at once, so that they fit together; seven times the price of statm. */
static bool read_status(struct counters *c, struct rss_reading *r)
{
	char text[8192];
	struct proc_status s;
	if (proc_read(c->status, text, sizeof text) <= 0 || !proc_status_parse(text, &s) ||
	    !s.found)
		return false;
	r->time_ns = clock_ns();
	r->bytes[MEM_ANON] = s.anon;
	r->bytes[MEM_FILE] = s.file;
	r->bytes[MEM_SHMEM] = c->shmem = s.shmem;
	c->shared = s.file + s.shmem;
	return true;
}

/* statm doesn't tell shmem from file pages, so status is read when their sum has moved. */
bool counters_read(struct counters *c, struct rss_reading *r)
{
	char text[256];
	struct proc_statm s;
	ssize_t n = proc_read(c->statm, text, sizeof text);
	r->time_ns = clock_ns();
	if (n <= 0 || !proc_statm_parse(text, &s) || s.size == 0)
		return false;
	uint64_t shared = s.shared * PAGE;
	if (shared != c->shared)
		return read_status(c, r);
	r->bytes[MEM_ANON] = s.resident > s.shared ? (s.resident - s.shared) * PAGE : 0;
	r->bytes[MEM_FILE] = shared - c->shmem;
	r->bytes[MEM_SHMEM] = c->shmem;
	return true;
}

void counters_follow(struct counters *c)
{
	if (process_follow(c->process))
		open_files(c);
}
