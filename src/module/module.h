/* SPDX-License-Identifier: MIT */
/* What the parts of this folder know of one module. Private to src/module. */
#ifndef MEMTOP_MODULE_MODULE_H
#define MEMTOP_MODULE_MODULE_H

#include "module/modules.h"

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODULE_PAGE       4096U
#define MODULE_PAGE_SLOTS 64U /* a power of two; 256 KiB per module that is read */

enum module_state {
	MODULE_UNOPENED, /* nobody needed its file yet */
	MODULE_FILE,     /* opened from a file that is proven right */
	MODULE_MEMORY,   /* rebuilt from the target's memory */
	MODULE_MISSING,
};

/* A stretch of the target's memory that shows a stretch of the file. */
struct extent {
	uint64_t start, end, offset;
	bool write;
};

struct file_page {
	unsigned char *data;
	uint64_t offset; /* in the file */
	size_t len;
};

struct module {
	const struct process *process;
	uint64_t id;
	char *path;
	uint64_t dev, inode;
	uint64_t start, end;    /* from the first to the last of its mappings */
	struct extent *extents; /* by address */
	size_t extents_len;
	bool is_main, is_vdso, deleted;
	bool is_generated; /* a JIT compiler's: no ELF object, whatever its name */
	bool kept;         /* while maps are compared */

	Dwfl_Module *dwfl; /* owned by the Dwfl */
	enum module_state state;
	bool mismatched; /* a file was refused */
	bool in_search;  /* for debug info: a callback may call us again */
	char *why;

	int fd;               /* of the file; owned by dwfl with the Elf */
	unsigned char *image; /* rebuilt from memory; libelf points into it */
	size_t image_size;
	uint64_t bias;   /* address - p_vaddr */
	GElf_Phdr *phdr; /* once opened */
	size_t phnum;
	struct file_page *pages; /* MODULE_PAGE_SLOTS of them, or NULL */
};

/* open.c: the find_elf callback of libdwfl; userdata is a struct module. */
int module_find_elf(Dwfl_Module *dm, void **userdata, const char *name, Dwarf_Addr base,
                    char **file_name, Elf **elfp);

/* debuginfo.c: find_debuginfo callbacks; the first never asks the network. */
int module_find_debuginfo(Dwfl_Module *dm, void **userdata, const char *name, Dwarf_Addr base,
                          const char *file_name, const char *debuglink, GElf_Word crc,
                          char **found_name);
int module_find_debuginfo_or_ask(Dwfl_Module *dm, void **userdata, const char *name,
                                 Dwarf_Addr base, const char *file_name, const char *debuglink,
                                 GElf_Word crc, char **found_name);

/* module.c */
void module_free(struct module *mod);
void module_complain(struct module *mod, const char *text);

#endif
