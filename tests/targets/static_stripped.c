/* SPDX-License-Identifier: MIT */
/* static_stripped [SECONDS [DELAY]]: linked statically, then stripped. Its functions have no names
 * any more, so it says where in its file they are. */
#define _GNU_SOURCE
#include "truth.h"

#include <link.h>
#include <stdio.h>
#include <string.h>

#define HEAVY 30.0 /* MB/s */
#define LIGHT 12.0

/* A section of its own tells where a function begins and ends. */
#define OWN_SECTION(name) __attribute__((section(name), used))

TRUTH_FRAME OWN_SECTION("heavy_text") void grow_heavy(size_t pages, uint64_t ns);
TRUTH_FRAME OWN_SECTION("light_text") void grow_light(size_t pages, uint64_t ns);

extern const char __start_heavy_text[], __stop_heavy_text[];
extern const char __start_light_text[], __stop_light_text[];

static struct arena heavy, light;

void grow_heavy(size_t pages, uint64_t ns)
{
	arena_grow(&heavy, pages, ns);
	TRUTH_KEEP();
}

void grow_light(size_t pages, uint64_t ns)
{
	arena_grow(&light, pages, ns);
	TRUTH_KEEP();
}

struct place {
	uintptr_t addr, offset;
};

static int find_offset(struct dl_phdr_info *info, size_t size, void *data)
{
	struct place *p = data;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type == PT_LOAD && p->addr >= start && p->addr - start < ph->p_memsz) {
			p->offset = p->addr - start + ph->p_offset;
			return 1;
		}
	}
	return 0;
}

static void say_range(const char *name, const char *start, const char *stop)
{
	struct place p = {(uintptr_t)start, 0};

	if (dl_iterate_phdr(find_offset, &p) == 0)
		truth_die("not in my own file");
	printf("truthrange %s 0x%lx 0x%lx\n", name, p.offset,
	       p.offset + (uintptr_t)stop - (uintptr_t)start);
}

int main(int argc, char **argv)
{
	struct truth_args args = truth_begin(argc, argv);
	uint64_t end;

	arena_open(&heavy, "grow_heavy", arena_room(&args, HEAVY));
	arena_open(&light, "grow_light", arena_room(&args, LIGHT));
	say_range("grow_heavy", __start_heavy_text, __stop_heavy_text);
	say_range("grow_light", __start_light_text, __stop_light_text);
	end = truth_ready(&args);
	while (truth_now() < end) {
		grow_heavy(arena_pages(HEAVY, 6 * TRUTH_MS), 2 * TRUTH_MS);
		truth_sleep(TRUTH_MS);
		grow_light(arena_pages(LIGHT, 6 * TRUTH_MS), 2 * TRUTH_MS);
		truth_sleep(TRUTH_MS);
	}
	return truth_end();
}
