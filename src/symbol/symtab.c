/* SPDX-License-Identifier: MIT */
#include "symbol/symtab.h"

#include "base/mem.h"
#include "symbol/ranges.h"

#include <gelf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct symbol {
	uint64_t start, size;
	const char *name;
	int rank; /* of names for one address the lowest wins */
};

struct symtab {
	struct symbol *list;
	size_t len, cap;
	struct ranges ranges;
};

/* --- which symbols --- */

static bool is_executable(Elf *elf, GElf_Word shndx)
{
	GElf_Shdr sh;
	Elf_Scn *scn = elf && shndx < SHN_LORESERVE ? elf_getscn(elf, shndx) : NULL;
	return scn && gelf_getshdr(scn, &sh) && (sh.sh_flags & SHF_EXECINSTR);
}

static bool is_code(const GElf_Sym *sym, Elf *elf, GElf_Word shndx)
{
	if (shndx == SHN_UNDEF || shndx == SHN_ABS || shndx == SHN_COMMON)
		return false;
	switch (GELF_ST_TYPE(sym->st_info)) {
	case STT_FUNC:
	case STT_GNU_IFUNC:
		return true;
	case STT_NOTYPE: /* hand-written assembler */
		return is_executable(elf, shndx);
	default:
		return false;
	}
}

static int rank_of(const GElf_Sym *sym)
{
	int rank = sym->st_size == 0 ? 8 : 0;
	if (GELF_ST_TYPE(sym->st_info) == STT_NOTYPE)
		rank += 4;
	switch (GELF_ST_BIND(sym->st_info)) {
	case STB_WEAK:
		return rank + 2;
	case STB_LOCAL:
		return rank + 1;
	default:
		return rank;
	}
}

static void load(struct symtab *t, Dwfl_Module *dm)
{
	int n = dwfl_module_getsymtab(dm);
	for (int i = 1; i < n; i++) {
		GElf_Sym sym;
		GElf_Addr addr, bias;
		GElf_Word shndx;
		Elf *elf;
		const char *name = dwfl_module_getsym_info(dm, i, &sym, &addr, &shndx, &elf, &bias);
		if (!name || !*name || !is_code(&sym, elf, shndx))
			continue;
		MEM_GROW(t->list, t->len, t->cap);
		t->list[t->len++] = (struct symbol){addr, sym.st_size, name, rank_of(&sym)};
	}
}

/* --- in order --- */

static size_t underscores(const char *name)
{
	return strspn(name, "_");
}

/* By address, the best name first: of malloc and __libc_malloc, malloc. */
static int compare(const void *pa, const void *pb)
{
	const struct symbol *a = pa, *b = pb;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank - b->rank;
	size_t ua = underscores(a->name), ub = underscores(b->name);
	if (ua != ub)
		return ua < ub ? -1 : 1;
	return strcmp(a->name, b->name);
}

static void drop_aliases(struct symtab *t)
{
	size_t kept = 0;
	for (size_t i = 0; i < t->len; i++)
		if (kept == 0 || t->list[kept - 1].start != t->list[i].start)
			t->list[kept++] = t->list[i];
	t->len = kept;
}

static uint64_t end_of(const struct symbol *s)
{
	return s->size > UINT64_MAX - s->start ? UINT64_MAX : s->start + s->size;
}

/* A symbol without size reaches to the next one, but inside a function it is only a label. */
static void index_ranges(struct symtab *t, uint64_t module_end)
{
	uint64_t sized_end = 0;
	for (size_t i = 0; i < t->len; i++) {
		const struct symbol *s = &t->list[i];
		uint64_t end = end_of(s);
		if (s->size == 0) {
			if (s->start < sized_end)
				continue;
			end = i + 1 < t->len ? t->list[i + 1].start : module_end;
		} else if (end > sized_end) {
			sized_end = end;
		}
		ranges_add(&t->ranges, s->start, end, i);
	}
	ranges_sort(&t->ranges);
}

struct symtab *symtab_new(Dwfl_Module *dm)
{
	struct symtab *t = mem_alloc(sizeof *t);
	Dwarf_Addr start, end;
	load(t, dm);
	if (t->len > 1)
		qsort(t->list, t->len, sizeof *t->list, compare);
	drop_aliases(t);
	dwfl_module_info(dm, NULL, &start, &end, NULL, NULL, NULL, NULL);
	index_ranges(t, end);
	return t;
}

void symtab_free(struct symtab *t)
{
	if (!t)
		return;
	ranges_clear(&t->ranges);
	free(t->list);
	free(t);
}

const char *symtab_find(const struct symtab *t, uint64_t addr)
{
	const struct range *r = ranges_find(&t->ranges, addr);
	return r ? t->list[r->value].name : NULL;
}
