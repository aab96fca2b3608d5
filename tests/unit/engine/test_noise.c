/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "proc/read.h"
#include "proc/rss.h"

#include "../target/forked.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES 1024

static uint64_t resident(int fd)
{
	char text[256];
	struct proc_statm s;
	assert_true(proc_read(fd, text, sizeof text) > 0);
	assert_true(proc_statm_parse(text, &s));
	return s.resident;
}

static void whole_pages(void **state)
{
	(void)state;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	for (int i = 0; i < 3; i++) {
		uint64_t noise = engine_rss_noise();
		assert_int_equal(noise % page, 0);
		assert_true(noise <= 256 * page);
		assert_true(noise == 0 || noise > 4 * page);
	}
}

/* RSS while pages are touched one by one: never further off than the noise of every CPU. */
static void readings_are_no_worse(void **state)
{
	(void)state;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t cpus = (uint64_t)sysconf(_SC_NPROCESSORS_CONF);
	uint64_t noise = engine_rss_noise() / page;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	volatile char *m = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE,
	                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal((void *)(uintptr_t)m, MAP_FAILED);
	assert_int_equal(madvise((void *)(uintptr_t)m, PAGES * page, MADV_NOHUGEPAGE), 0);
	uint64_t first = resident(fd);
	for (uint64_t i = 1; i <= PAGES; i++) {
		m[(i - 1) * page] = 1;
		uint64_t grown = resident(fd) - first;
		assert_true(grown + (noise + 1) * cpus + 16 >= i);
		assert_true(grown <= i + (noise + 1) * cpus + 64); /* some pages are our own */
	}
	munmap((void *)(uintptr_t)m, PAGES * page);
	close(fd);
}

/* The probe leaves nothing behind. */
static void cleans_up(void **state)
{
	(void)state;
	int before = dup(0);
	close(before);
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	char text[256];
	struct proc_statm a, b;
	assert_true(proc_read(fd, text, sizeof text) > 0 && proc_statm_parse(text, &a));
	for (int i = 0; i < 20; i++)
		engine_rss_noise();
	assert_true(proc_read(fd, text, sizeof text) > 0 && proc_statm_parse(text, &b));
	assert_true(b.size < a.size + 256);
	close(fd);
	int after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

/* A sleeping process doesn't change, so both counters can be compared. */
static void deviation_of_a_sleeper(void **state)
{
	(void)state;
	struct forked c = forked_start(forked_sleep, NULL);
	forked_wait_for(&c);
	struct err e = {""};
	struct process *p = process_open(c.pid, &e);
	assert_non_null(p);
	int64_t off = INT64_MAX;
	assert_true(engine_rss_deviation(p, &off));
	int64_t most =
	        (int64_t)((engine_rss_noise() + 4096) * (uint64_t)sysconf(_SC_NPROCESSORS_CONF));
	assert_true(off >= -most && off <= most);
	forked_kill(&c);
	assert_false(engine_rss_deviation(p, &off)); /* it has no memory any more */
	process_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(whole_pages),
	        cmocka_unit_test(deviation_of_a_sleeper),
	        cmocka_unit_test(readings_are_no_worse),
	        cmocka_unit_test(cleans_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
