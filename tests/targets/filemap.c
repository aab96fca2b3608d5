/* SPDX-License-Identifier: MIT */
/* filemap [SECONDS [DELAY [FOLDER]]]: reads one mapped file, writes another one (in FOLDER, ".";
 * unlinked at once), and fills a memfd. Faults on files map several pages at once, so the truth is
 * what pagemap says in the end. */
#define _GNU_SOURCE
#include "truth.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#define READ_RATE  10.0 /* MB/s */
#define WRITE_RATE 6.0
#define SHMEM_RATE 10.0

struct region {
	const char *function, *kind;
	unsigned char *base;
	size_t size, used, pages; /* pages each turn */
	int id;
};

TRUTH_FRAME void map_read(void);
TRUTH_FRAME void map_write(void);
TRUTH_FRAME void map_shmem(void);

static struct region reading, writing, shmem;

/* The pages are in the page cache, but not in this process. */
static int make_file(const char *folder, size_t size, const char **kind)
{
	static char zeros[1u << 16];
	struct statfs fs;
	char path[4096];
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/filemap-XXXXXX", folder) >= sizeof(path))
		truth_die("path too long");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		truth_die("no file in that folder");
	unlink(path);
	for (size_t at = 0; at < size; at += sizeof(zeros))
		if (write(fd, zeros, sizeof(zeros)) != (ssize_t)sizeof(zeros))
			truth_die("disk full?");
	*kind = fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC ? "shmem" : "file";
	return fd;
}

static void map(struct region *r, const char *function, int fd, size_t size, double rate)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		truth_die("no mapping");
	close(fd);
	r->function = function;
	r->base = p;
	r->size = size;
	r->pages = arena_pages(rate, 10 * TRUTH_MS);
	r->id = truth_function(function);
}

static size_t room(const struct truth_args *a, double rate)
{
	return (size_t)(arena_room(a, rate) + 0xffff) & ~(size_t)0xffff;
}

static unsigned char *next_page(struct region *r)
{
	unsigned char *page = r->base + r->used;

	if (r->used == r->size)
		truth_die("region full");
	r->used += TRUTH_PAGE;
	return page;
}

void map_read(void)
{
	uint64_t start = truth_now();

	for (size_t i = 0; i < reading.pages; i++) {
		const volatile unsigned char *page = next_page(&reading);

		for (size_t at = 0; at < TRUTH_PAGE; at += 64)
			(void)page[at];
		truth_spin_until(start + 2 * TRUTH_MS * (i + 1) / reading.pages);
	}
	TRUTH_KEEP();
}

void map_write(void)
{
	uint64_t start = truth_now();

	for (size_t i = 0; i < writing.pages; i++) {
		memset(next_page(&writing), 2, TRUTH_PAGE);
		truth_spin_until(start + 2 * TRUTH_MS * (i + 1) / writing.pages);
	}
	TRUTH_KEEP();
}

void map_shmem(void)
{
	uint64_t start = truth_now();

	for (size_t i = 0; i < shmem.pages; i++) {
		memset(next_page(&shmem), 3, TRUTH_PAGE);
		truth_spin_until(start + 2 * TRUTH_MS * (i + 1) / shmem.pages);
	}
	TRUTH_KEEP();
}

static void finish(const struct region *r)
{
	truth_add(r->id, truth_resident(r->base, r->size));
	printf("truthkind %s %s\n", r->function, r->kind);
}

int main(int argc, char **argv)
{
	struct truth_args args = truth_begin(argc, argv);
	const char *folder = truth_text(&args, 0, ".");
	size_t size = room(&args, READ_RATE);
	int fd = make_file(folder, size, &reading.kind);
	uint64_t end;

	map(&reading, "map_read", fd, size, READ_RATE);
	size = room(&args, WRITE_RATE);
	map(&writing, "map_write", make_file(folder, size, &writing.kind), size, WRITE_RATE);
	size = room(&args, SHMEM_RATE);
	fd = memfd_create("filemap", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
		truth_die("no memfd");
	shmem.kind = "shmem";
	map(&shmem, "map_shmem", fd, size, SHMEM_RATE);
	end = truth_ready(&args);
	while (truth_now() < end) {
		map_read();
		map_write();
		map_shmem();
		truth_sleep(4 * TRUTH_MS);
	}
	finish(&reading);
	finish(&writing);
	finish(&shmem);
	return truth_end();
}
