/* SPDX-License-Identifier: MIT */
/* GNU build-ids, as files and notes hold them. Private to src/module. */
#ifndef MEMTOP_MODULE_BUILDID_H
#define MEMTOP_MODULE_BUILDID_H

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>

#define BUILD_ID_MAX 64

struct build_id {
	size_t len; /* 0: none */
	unsigned char bits[BUILD_ID_MAX];
};

bool build_id_of_elf(Elf *elf, struct build_id *id);

/* Searches one segment of notes with that alignment (4 or 8). */
bool build_id_in_notes(const unsigned char *notes, size_t len, size_t align, struct build_id *id);

bool build_id_equal(const struct build_id *a, const struct build_id *b);

#endif
