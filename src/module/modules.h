/* SPDX-License-Identifier: MIT */
/* The ELF objects mapped by a target, and the one Dwfl that knows them. */
#ifndef MEMTOP_MODULE_MODULES_H
#define MEMTOP_MODULE_MODULES_H

#include "base/err.h"
#include "target/process.h"

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct modules;
struct module;
struct mapping;

struct modules_config {
	bool debuginfod; /* ask debuginfod servers for debug files; otherwise never */
};

/* p must outlive it. */
struct modules *modules_new(const struct process *p, const struct modules_config *c);
void modules_free(struct modules *m); /* NULL-safe */

/* Reads the target's maps again. Modules whose range and file are unchanged stay as they are (and
 * so do the struct module pointers). Returns true if a module came, went or moved: caches by
 * address are then void. (Anonymous mappings and those of JIT compilers come and go without that.)
 * When the process is gone, what was known stays. */
bool modules_refresh(struct modules *m);

/* Rises by one whenever a refresh changed anything. */
uint64_t modules_generation(const struct modules *m);

Dwfl *modules_dwfl(const struct modules *m);

/* The module whose mapping holds addr; NULL for anonymous memory and unknown addresses. */
struct module *modules_find(const struct modules *m, uint64_t addr);

/* Programs map parts of their own text a second time (V8 does, near its JIT code): the address of
 * the same byte in the whole module of that file; or addr itself. */
uint64_t modules_canonical(const struct modules *m, uint64_t addr);

/* True where addr lies in a mapping that was known at the last refresh, of whatever kind. */
bool modules_mapped(const struct modules *m, uint64_t addr);

/* The mapping (proc/maps.h) that holds addr, or NULL; valid until the next refresh. */
const struct mapping *modules_mapping(const struct modules *m, uint64_t addr);

uint64_t module_id(const struct module *mod);      /* of one modules never given twice */
const char *module_name(const struct module *mod); /* the file's name without folders; "[vdso]" */
const char *module_path(const struct module *mod); /* as the target sees it */
uint64_t module_offset(const struct module *mod, uint64_t addr); /* addr's offset in the file */
bool module_is_main(const struct module *mod);                   /* the executable itself */

/* A file that a JIT compiler made to map its code twice, such as .NET's memfd. It is none of the
 * Dwfl's modules. */
bool module_is_generated(const struct module *mod);

/* libdwfl's handle, its ELF file opened and checked against the build-id in the target's memory.
 * NULL where no right file could be had (module_why says why): then only offsets are known. */
Dwfl_Module *module_dwfl(struct module *mod);
const char *module_why(const struct module *mod); /* NULL when there is nothing to complain of */

/* Address and size of .eh_frame_hdr in the target's address space, for libunwind; false if none. */
bool module_eh_frame_hdr(struct module *mod, uint64_t *addr, uint64_t *size);

/* Reads from the read-only part of the module's file what the target has mapped at addr, without
 * asking the target: true if all len bytes came. */
bool module_read(struct module *mod, uint64_t addr, void *buf, size_t len);

/* Counts for the summary: modules known; opened from a file; rebuilt from memory; without any;
 * refused (wrong build-id). */
struct modules_stats {
	size_t known, opened, from_memory, missing, mismatched;
};
struct modules_stats modules_stats(const struct modules *m);

#endif
