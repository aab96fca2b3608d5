/* SPDX-License-Identifier: MIT */
/* An ELF object as it stands in the target's memory. Private to src/module. */
#ifndef MEMTOP_MODULE_MEMORY_ELF_H
#define MEMTOP_MODULE_MEMORY_ELF_H

#include "module/buildid.h"
#include "target/process.h"

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_ELF_PHDRS 128

/* The headers of the object at start; sane as far as they go, but for nothing else to be trusted.
 */
struct memory_elf {
	const struct process *process;
	uint64_t start, end; /* nothing outside is read */
	uint64_t bias;       /* address - p_vaddr */
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[MEMORY_ELF_PHDRS];
	size_t phnum;
};

bool memory_elf_read(struct memory_elf *m, const struct process *p, uint64_t start, uint64_t end);

bool memory_elf_build_id(const struct memory_elf *m, struct build_id *id);

/* A file as the program headers describe it, without section headers; malloc'ed, NULL if it can't
 * be had. Pages that can't be read are zero. */
unsigned char *memory_elf_image(const struct memory_elf *m, size_t *size);

/* The memory from start to end as it is: the vDSO is a whole file. */
unsigned char *memory_elf_copy(const struct memory_elf *m, size_t *size);

#endif
