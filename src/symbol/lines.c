/* SPDX-License-Identifier: MIT */
#include "symbol/lines.h"

#include "base/mem.h"
#include "symbol/ranges.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

#define MAX_DEPTH  64      /* of namespaces and classes */
#define MAX_RANGES 1000000 /* of one unit: hostile beyond */
#define MAX_ALL    8000000 /* of all units: many may claim the same ranges */

/* One compilation unit. Its functions are collected when a first address falls into it. */
struct unit {
	Dwarf_Die die;
	bool collected;
	Dwarf_Die *functions;
	size_t len, cap;
	struct ranges ranges;
};

struct lines {
	Dwfl_Module *dm;
	bool loaded;
	Dwarf_Addr bias;
	struct unit *units;
	size_t len, cap;
	struct ranges ranges; /* values: units */
};

struct lines *lines_new(Dwfl_Module *dm)
{
	struct lines *l = mem_alloc(sizeof *l);
	l->dm = dm;
	return l;
}

void lines_free(struct lines *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->len; i++) {
		ranges_clear(&l->units[i].ranges);
		free(l->units[i].functions);
	}
	ranges_clear(&l->ranges);
	free(l->units);
	free(l);
}

/* --- indexes --- */

static bool add_ranges(struct ranges *r, Dwarf_Die *die, size_t value)
{
	Dwarf_Addr base, start, end;
	size_t before = r->len;
	ptrdiff_t at = 0;
	while (r->len - before < MAX_RANGES &&
	       (at = dwarf_ranges(die, at, &base, &start, &end)) > 0)
		if (start != 0) /* else discarded by the linker */
			ranges_add(r, start, end, value);
	return r->len > before;
}

/* Not by .debug_aranges: clang emits none, and libdw of that age does not look further. */
static void load(struct lines *l)
{
	l->loaded = true;
	if (!dwfl_module_getdwarf(l->dm, &l->bias))
		return;
	Dwarf_Addr bias;
	for (Dwarf_Die *cu = NULL;
	     l->ranges.len < MAX_ALL && (cu = dwfl_module_nextcu(l->dm, cu, &bias));) {
		if (!add_ranges(&l->ranges, cu, l->len))
			continue;
		MEM_GROW(l->units, l->len, l->cap);
		l->units[l->len++] = (struct unit){.die = *cu};
	}
	ranges_sort(&l->ranges);
}

static bool is_scope(int tag)
{
	switch (tag) {
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
		return true;
	default:
		return false;
	}
}

static void collect(struct unit *u, Dwarf_Die *parent, int depth)
{
	Dwarf_Die die;
	if (depth > MAX_DEPTH || dwarf_child(parent, &die) != 0)
		return;
	do {
		int tag = dwarf_tag(&die);
		if (is_scope(tag)) {
			collect(u, &die, depth + 1);
		} else if (tag == DW_TAG_subprogram && add_ranges(&u->ranges, &die, u->len)) {
			MEM_GROW(u->functions, u->len, u->cap);
			u->functions[u->len++] = die;
		}
	} while (u->ranges.len < MAX_RANGES && dwarf_siblingof(&die, &die) == 0);
}

static struct unit *find_unit(struct lines *l, Dwarf_Addr addr)
{
	const struct range *r = ranges_find(&l->ranges, addr);
	if (!r)
		return NULL;
	struct unit *u = &l->units[r->value];
	if (!u->collected) {
		u->collected = true;
		collect(u, &u->die, 0);
		ranges_sort(&u->ranges);
	}
	return u;
}

/* --- one address --- */

static bool may_hold_inlined(int tag)
{
	return tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
	       tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

/* The child of parent at addr that is an inlined function or a block. */
static bool step_into(Dwarf_Die *parent, Dwarf_Addr addr, Dwarf_Die *out)
{
	Dwarf_Die die;
	if (dwarf_child(parent, &die) != 0)
		return false;
	do {
		if (may_hold_inlined(dwarf_tag(&die)) && dwarf_haspc(&die, addr) == 1) {
			*out = die;
			return true;
		}
	} while (dwarf_siblingof(&die, &die) == 0);
	return false;
}

/* From the concrete function to the innermost inlined one. */
static size_t find_chain(struct unit *u, Dwarf_Addr addr, Dwarf_Die chain[LINES_MAX])
{
	const struct range *r = ranges_find(&u->ranges, addr);
	if (!r)
		return 0;
	size_t n = 0;
	Dwarf_Die die = u->functions[r->value];
	chain[n++] = die;
	for (int depth = 0; depth < 4 * LINES_MAX && n < LINES_MAX && step_into(&die, addr, &die);
	     depth++)
		if (dwarf_tag(&die) == DW_TAG_inlined_subroutine)
			chain[n++] = die;
	return n;
}

static const char *string_of(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attr;
	return dwarf_formstring(dwarf_attr_integrate(die, name, &attr));
}

static void fill_name(Dwarf_Die *die, struct line_frame *f)
{
	f->linkage = string_of(die, DW_AT_linkage_name);
	if (!f->linkage)
		f->linkage = string_of(die, DW_AT_MIPS_linkage_name);
	f->name = string_of(die, DW_AT_name);
}

static bool number_of(Dwarf_Die *die, unsigned name, Dwarf_Word *out)
{
	Dwarf_Attribute attr;
	return dwarf_formudata(dwarf_attr(die, name, &attr), out) == 0;
}

static void fill_call(struct unit *u, Dwarf_Die *inlined, struct line_frame *f)
{
	Dwarf_Files *files;
	size_t n;
	Dwarf_Word file, line;
	if (number_of(inlined, DW_AT_call_line, &line) && line <= INT_MAX)
		f->line = (int)line;
	if (number_of(inlined, DW_AT_call_file, &file) &&
	    dwarf_getsrcfiles(&u->die, &files, &n) == 0 && file < n)
		f->file = dwarf_filesrc(files, file, NULL, NULL);
	f->folder = string_of(&u->die, DW_AT_comp_dir);
}

static void fill_line(struct unit *u, Dwarf_Addr addr, struct line_frame *f)
{
	Dwarf_Line *line = dwarf_getsrc_die(&u->die, addr);
	if (!line)
		return;
	f->file = dwarf_linesrc(line, NULL, NULL);
	f->folder = string_of(&u->die, DW_AT_comp_dir);
	if (dwarf_lineno(line, &f->line) != 0 || f->line < 0)
		f->line = 0;
}

size_t lines_find(struct lines *l, uint64_t addr, struct line_frame out[LINES_MAX])
{
	Dwarf_Die chain[LINES_MAX];
	if (!l->loaded)
		load(l);
	addr -= l->bias;
	struct unit *u = find_unit(l, addr);
	if (!u)
		return 0;
	size_t n = find_chain(u, addr, chain);
	if (n == 0) { /* assembler has lines, but no functions */
		out[0] = (struct line_frame){0};
		fill_line(u, addr, &out[0]);
		return out[0].file != NULL;
	}
	for (size_t i = 0; i < n; i++) {
		struct line_frame *f = &out[n - 1 - i];
		*f = (struct line_frame){0};
		fill_name(&chain[i], f);
		if (i + 1 < n)
			fill_call(u, &chain[i + 1], f);
		else
			fill_line(u, addr, f);
	}
	return n;
}
