/* SPDX-License-Identifier: MIT */
#include "engine/threads.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "proc/read.h"
#include "proc/stat.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_ACTIVE 512            /* descriptors kept open */
#define MAX_PAUSE  (2 * NS_PER_S) /* between scans */
#define IDLE_LOOKS 256            /* without a fault, and a thread isn't active any more */

struct active {
	pid_t tid;
	int fd; /* of task/TID/stat, which never comes to mean another thread */
	unsigned idle;
};

struct threads {
	const struct process *process;
	struct rng rng;
	struct hash *faults; /* of all threads, at the last scan: tid -> faults */
	struct active *active;
	size_t len, cap;
	uint64_t next_scan_ns;
};

struct threads *threads_new(const struct process *p, struct rng rng)
{
	struct threads *t = mem_alloc(sizeof *t);
	t->process = p;
	t->rng = rng;
	t->faults = hash_new();
	threads_scan(t);
	return t;
}

static void drop(struct threads *t, size_t i)
{
	close(t->active[i].fd);
	t->active[i] = t->active[--t->len];
}

void threads_free(struct threads *t)
{
	if (!t)
		return;
	while (t->len > 0)
		drop(t, t->len - 1);
	free(t->active);
	hash_free(t->faults);
	free(t);
}

size_t threads_count(const struct threads *t)
{
	return hash_count(t->faults);
}

size_t threads_active(const struct threads *t)
{
	return t->len;
}

static bool read_stat(int fd, struct proc_stat *s)
{
	char text[1024];
	return proc_read(fd, text, sizeof text) > 0 && proc_stat_parse(text, s);
}

static bool is_active(const struct threads *t, pid_t tid)
{
	for (size_t i = 0; i < t->len; i++)
		if (t->active[i].tid == tid)
			return true;
	return false;
}

/* Takes over fd, or closes it. */
static void activate(struct threads *t, pid_t tid, int fd)
{
	if (t->len >= MAX_ACTIVE || is_active(t, tid)) {
		close(fd);
		return;
	}
	MEM_GROW(t->active, t->len, t->cap);
	t->active[t->len++] = (struct active){.tid = tid, .fd = fd};
}

/* A thread that is new, or has faulted since the last scan, may be growing. At the first scan only
 * running ones are taken, since all of them are new. */
static void scan_one(struct threads *t, pid_t tid, const struct hash *before)
{
	char path[48];
	snprintf(path, sizeof path, "task/%d/stat", (int)tid);
	int fd = process_openat(t->process, path, O_RDONLY);
	if (fd < 0)
		return;
	struct proc_stat s;
	if (!read_stat(fd, &s)) {
		close(fd);
		return;
	}
	uint64_t faults = s.minflt + s.majflt;
	hash_put(t->faults, (uint64_t)tid, faults);
	const uint64_t *old = hash_get(before, (uint64_t)tid);
	bool first = hash_count(before) == 0;
	if (first ? s.state != 'S' : (!old || *old != faults))
		activate(t, tid, fd);
	else
		close(fd);
}

bool threads_scan(struct threads *t)
{
	uint64_t begin = clock_ns();
	if (begin < t->next_scan_ns)
		return false;
	int fd = process_openat(t->process, "task", O_RDONLY | O_DIRECTORY);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	struct hash *before = t->faults;
	t->faults = hash_new();
	const struct dirent *d;
	while ((d = readdir(dir))) {
		pid_t tid = (pid_t)atoi(d->d_name);
		if (tid > 0)
			scan_one(t, tid, before);
	}
	closedir(dir);
	hash_free(before);
	uint64_t now = clock_ns();
	uint64_t pause = 5 * NS_PER_MS + 100 * (now - begin);
	t->next_scan_ns =
	        now + (pause < MAX_PAUSE ? pause : MAX_PAUSE); /* it may only have lost the CPU */
	return true;
}

static void choose(struct threads *t, size_t n)
{
	for (size_t i = 0; i < n; i++) { /* the first steps of a Fisher-Yates shuffle */
		size_t j = i + (size_t)(rng_uniform(&t->rng) * (double)(t->len - i));
		struct active a = t->active[i];
		t->active[i] = t->active[j];
		t->active[j] = a;
	}
}

size_t threads_watch(struct threads *t, struct watched *w, double *share)
{
	size_t want = t->len < THREADS_WATCHED ? t->len : THREADS_WATCHED;
	*share = t->len > 0 ? (double)want / (double)t->len : 1;
	if (want < t->len)
		choose(t, want);
	size_t n = 0;
	for (size_t i = 0; i < want && i < t->len;) {
		struct proc_stat s;
		if (!read_stat(t->active[i].fd, &s)) {
			drop(t, i); /* it has ended */
			continue;
		}
		w[n] = (struct watched){
		        .tid = t->active[i].tid, .state = s.state, .cpu = s.cpu, .handle = i};
		w[n].faults = s.minflt + s.majflt;
		memcpy(w[n].comm, s.comm, sizeof w[n].comm - 1);
		n++;
		i++;
	}
	return n;
}

void threads_reread(struct threads *t, struct watched *w, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct active *a = &t->active[w[i].handle];
		struct proc_stat s;
		w[i].delta = 0;
		w[i].state = 0;
		if (!read_stat(a->fd, &s))
			continue;
		w[i].state = s.state;
		w[i].delta = s.minflt + s.majflt - w[i].faults;
		w[i].faults += w[i].delta;
		a->idle = w[i].delta ? 0 : a->idle + 1;
	}
	for (size_t i = n; i-- > 0;) /* from the last, so that handles stay valid meanwhile */
		if (t->active[w[i].handle].idle > IDLE_LOOKS)
			drop(t, w[i].handle);
}
