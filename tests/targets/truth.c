/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "truth.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define RSS_SLACK (768u * 1024) /* code pages, stdio, the stack */

static struct {
	const char *name;
	atomic_uint_least64_t bytes;
	const struct arena *arena; /* or NULL */
} functions[TRUTH_MAX];
static int function_count;
static uint64_t rss_before;

void truth_die(const char *text)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
	exit(1);
}

static uint64_t seconds_arg(int argc, char **argv, int i, double fallback)
{
	double v = fallback;

	if (i < argc) {
		char *end;

		v = strtod(argv[i], &end);
		if (end == argv[i] || *end != '\0' || !(v >= 0 && v < 100000))
			truth_die("arguments: [SECONDS [DELAY [MORE...]]]");
	}
	return (uint64_t)(v * 1e9);
}

/* Not alarm(2): targets have uses of their own for SIGALRM. */
static void bound_life(uint64_t ns)
{
	struct sigevent ev;
	struct itimerspec when = {0};
	timer_t timer;

	memset(&ev, 0, sizeof(ev));
	ev.sigev_notify = SIGEV_SIGNAL;
	ev.sigev_signo = SIGKILL;
	when.it_value.tv_sec = (time_t)(ns / TRUTH_SEC) + 30;
	if (timer_create(CLOCK_MONOTONIC, &ev, &timer) != 0 ||
	    timer_settime(timer, 0, &when, NULL) != 0)
		truth_die("no timer");
	if (getenv("TRUTH_ORPHAN") == NULL)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getenv("TRUTH_PROTECTED") != NULL)
		prctl(PR_SET_DUMPABLE, 0);
}

struct truth_args truth_begin(int argc, char **argv)
{
	struct truth_args a;

	a.grow_ns = seconds_arg(argc, argv, 1, 5);
	a.delay_ns = seconds_arg(argc, argv, 2, 0.5);
	a.argc = argc > 3 ? argc - 3 : 0;
	a.argv = argv + (argc > 3 ? 3 : argc);
	bound_life(a.grow_ns + a.delay_ns);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	return a;
}

const char *truth_text(const struct truth_args *a, int i, const char *fallback)
{
	return i < a->argc ? a->argv[i] : fallback;
}

long truth_number(const struct truth_args *a, int i, long fallback)
{
	const char *s = truth_text(a, i, NULL);
	char *end;
	long v;

	if (s == NULL)
		return fallback;
	v = strtol(s, &end, 10);
	if (end == s || *end != '\0' || v < 0)
		truth_die("a whole number was expected");
	return v;
}

uint64_t truth_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * TRUTH_SEC + (uint64_t)ts.tv_nsec;
}

void truth_sleep(uint64_t ns)
{
	struct timespec ts = {(time_t)(ns / TRUTH_SEC), (long)(ns % TRUTH_SEC)};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		continue;
}

void truth_spin_until(uint64_t when_ns)
{
	uint64_t x = when_ns | 1;

	while (truth_now() < when_ns) {
		for (int i = 0; i < 50; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
		}
		__asm__ volatile("" : "+r"(x));
	}
}

/* Exact: the kernel walks the page tables for it, unlike for statm. (thread-self, because a leader
 * that has ended has no memory map any more.) */
static uint64_t rss_exact(void)
{
	char line[256];
	unsigned long long kb = 0;
	FILE *f = fopen("/proc/thread-self/smaps_rollup", "re");

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Rss: %llu kB", &kb) == 1)
			break;
	fclose(f);
	return kb * 1024;
}

uint64_t truth_ready(const struct truth_args *a)
{
	uint64_t start;

	rss_before = rss_exact();
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	start = truth_now() + a->delay_ns;
	truth_sleep(a->delay_ns);
	return start + a->grow_ns;
}

int truth_function(const char *name)
{
	if (function_count == TRUTH_MAX)
		truth_die("too many functions");
	functions[function_count].name = name;
	return function_count++;
}

void truth_add(int id, uint64_t bytes)
{
	atomic_fetch_add_explicit(&functions[id].bytes, bytes, memory_order_relaxed);
}

uint64_t truth_faulted(void)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	return (uint64_t)ru.ru_minflt * TRUTH_PAGE;
}

uint64_t truth_resident(const void *base, size_t len)
{
	const uint64_t there = UINT64_C(3) << 62; /* present, or swapped */
	uint64_t entries[512], pages = 0;
	size_t left = len / TRUTH_PAGE;
	off_t at = (off_t)((uintptr_t)base / TRUTH_PAGE * sizeof(entries[0]));
	int fd = open("/proc/thread-self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		truth_die("no /proc/thread-self/pagemap");
	while (left > 0) {
		size_t want = left < 512 ? left : 512;
		ssize_t n = pread(fd, entries, want * sizeof(entries[0]), at);

		if (n <= 0)
			truth_die("short /proc/thread-self/pagemap");
		for (size_t i = 0; i < (size_t)n / sizeof(entries[0]); i++)
			pages += (entries[i] & there) != 0;
		left -= (size_t)n / sizeof(entries[0]);
		at += n;
	}
	close(fd);
	return pages * TRUTH_PAGE;
}

void arena_open(struct arena *a, const char *function, uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		truth_die("no address space");
	a->base = p;
	a->size = bytes;
	a->used = 0;
	a->id = truth_function(function);
	functions[a->id].arena = a;
}

TRUTH_FRAME void arena_grow(struct arena *a, size_t pages, uint64_t busy_ns)
{
	uint64_t start = truth_now();

	if (a->size - a->used < pages * TRUTH_PAGE)
		abort();
	for (size_t i = 0; i < pages; i++) {
		memset(a->base + a->used, (int)(i & 0xff) | 1, TRUTH_PAGE);
		TRUTH_KEEP();
		a->used += TRUTH_PAGE;
		truth_spin_until(start + busy_ns * (i + 1) / pages);
	}
	truth_add(a->id, pages * TRUTH_PAGE);
}

size_t arena_pages(double mb_per_s, uint64_t period_ns)
{
	double pages = mb_per_s * 1e6 * (double)period_ns / 1e9 / TRUTH_PAGE;

	return pages < 1 ? 1 : (size_t)(pages + 0.5);
}

uint64_t arena_room(const struct truth_args *a, double mb_per_s)
{
	double bytes = mb_per_s * 1e6 * ((double)a->grow_ns / 1e9 * 1.5 + 1);

	return ((uint64_t)bytes + (16u << 20)) / TRUTH_PAGE * TRUTH_PAGE;
}

static int say(bool with_rss)
{
	uint64_t grown = rss_exact() - rss_before, sum = 0, slack;
	bool ok = true;

	for (int i = 0; i < function_count; i++) {
		const struct arena *a = functions[i].arena;
		uint64_t bytes = functions[i].bytes;

		sum += bytes;
		printf("truth %s %llu\n", functions[i].name, (unsigned long long)bytes);
		if (a != NULL && truth_resident(a->base, a->size) != bytes) {
			printf("check bad %s is not what pagemap says\n", functions[i].name);
			ok = false;
		}
	}
	slack = RSS_SLACK + sum / 500;
	if (with_rss && (grown + slack < sum || grown > sum + slack)) {
		printf("check bad RSS grew by %lld, the truth is %llu\n", (long long)grown,
		       (unsigned long long)sum);
		ok = false;
	}
	if (ok)
		printf("check ok\n");
	fflush(stdout);
	return ok ? 0 : 3;
}

int truth_end(void)
{
	truth_sleep(TRUTH_SEC);
	return say(rss_before != 0);
}

int truth_end_now(void)
{
	return say(false);
}
