/* SPDX-License-Identifier: MIT */
#include "module/buildid.h"

#include <elfutils/libdwelf.h>
#include <stdint.h>
#include <string.h>

static bool set(struct build_id *id, const void *bits, size_t len)
{
	if (len == 0 || len > BUILD_ID_MAX)
		return false;
	id->len = len;
	memcpy(id->bits, bits, len);
	return true;
}

bool build_id_of_elf(Elf *elf, struct build_id *id)
{
	const void *bits = NULL;
	ssize_t len = dwelf_elf_gnu_build_id(elf, &bits);
	return len > 0 && set(id, bits, (size_t)len);
}

static size_t align_up(size_t n, size_t align)
{
	return (n + align - 1) & ~(align - 1);
}

bool build_id_in_notes(const unsigned char *notes, size_t len, size_t align, struct build_id *id)
{
	if (align != 8)
		align = 4;
	Elf64_Nhdr note;
	for (size_t at = 0; len - at >= sizeof note;) {
		memcpy(&note, notes + at, sizeof note);
		size_t left = len - at - sizeof note;
		if (note.n_namesz > left || note.n_descsz > left)
			return false;
		size_t desc = align_up(sizeof note + note.n_namesz, align);
		if (desc > len - at || note.n_descsz > len - at - desc)
			return false;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof "GNU" &&
		    memcmp(notes + at + sizeof note, "GNU", sizeof "GNU") == 0)
			return set(id, notes + at + desc, note.n_descsz);
		size_t next = align_up(desc + note.n_descsz, align);
		if (next > len - at)
			return false;
		at += next;
	}
	return false;
}

bool build_id_equal(const struct build_id *a, const struct build_id *b)
{
	return a->len == b->len && memcmp(a->bits, b->bits, a->len) == 0;
}
