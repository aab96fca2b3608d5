/* SPDX-License-Identifier: MIT */
#include "engine/engine.h"

#include "proc/read.h"
#include "proc/rss.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PROBE_PAGES 256

/* Kernels before 6.2 add a thread's RSS changes up in the task (64 of them), later ones per CPU
 * (32 or twice the CPUs), and statm reads the sum without those parts; some read it exactly
 * (mm/memory.c, lib/percpu_counter.c, fs/proc/task_mmu.c). Touching pages of our own one by one
 * shows which this one does: the largest step is the size of the batch. */
uint64_t engine_rss_noise(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), len = PROBE_PAGES * page;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	volatile char *m =
	        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t largest = 0, last = 0;
	if (fd >= 0 && m != MAP_FAILED) {
		madvise((void *)m, len, MADV_NOHUGEPAGE);
		for (size_t i = 0; i < PROBE_PAGES; i++) {
			char text[256];
			struct proc_statm s;
			m[i * page] = 1;
			if (proc_read(fd, text, sizeof text) < 0 || !proc_statm_parse(text, &s))
				break;
			if (i > 1 && s.resident > last && s.resident - last > largest)
				largest = s.resident - last;
			last = s.resident;
		}
	}
	if (m != MAP_FAILED)
		munmap((void *)m, len);
	if (fd >= 0)
		close(fd);
	/* a page or two more are our own stack and libraries */
	return largest > 4 ? largest * page : 0;
}

static bool statm_rss(const struct process *p, uint64_t *bytes)
{
	struct proc_statm s;
	char *text = process_slurp(p, "statm", NULL);
	bool ok = text && proc_statm_parse(text, &s) && s.size > 0;
	if (ok)
		*bytes = s.resident * (uint64_t)sysconf(_SC_PAGESIZE);
	free(text);
	return ok;
}

bool engine_rss_deviation(const struct process *p, int64_t *bytes)
{
	const uint64_t walkable = UINT64_C(4) << 30;
	uint64_t before, exact, after;
	if (!statm_rss(p, &before) || before > walkable)
		return false;
	char *text = process_slurp(p, "smaps_rollup", NULL);
	bool ok = text && proc_kb_field(text, "Rss", &exact) && statm_rss(p, &after) &&
	          before == after;
	if (ok)
		*bytes = (int64_t)(before - exact);
	free(text);
	return ok;
}
