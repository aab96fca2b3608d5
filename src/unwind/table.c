/* SPDX-License-Identifier: MIT */
#include "unwind/table.h"

#include "base/hash.h"
#include "base/mem.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ENTRIES 2000000 /* of one file, 48 MB: hostile beyond */

struct fde {
	uint64_t start, end; /* of the code */
	uint64_t addr;       /* of the FDE itself */
};

struct table {
	struct fde *list; /* by start */
	size_t len, cap;
};

struct tables {
	struct hash *by_module; /* id -> struct table * */
	struct table **list;
	size_t len, cap;
};

struct tables *tables_new(void)
{
	struct tables *t = mem_alloc(sizeof *t);
	t->by_module = hash_new();
	return t;
}

void tables_clear(struct tables *t)
{
	for (size_t i = 0; i < t->len; i++) {
		free(t->list[i]->list);
		free(t->list[i]);
	}
	t->len = 0;
	hash_clear(t->by_module);
}

void tables_free(struct tables *t)
{
	if (!t)
		return;
	tables_clear(t);
	hash_free(t->by_module);
	free(t->list);
	free(t);
}

/* --- encoded pointers --- */

struct bytes {
	const uint8_t *at, *end;
};

static size_t size_of(uint8_t encoding)
{
	switch (encoding & 0x0f) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		return 8;
	case DW_EH_PE_udata4:
	case DW_EH_PE_sdata4:
		return 4;
	case DW_EH_PE_udata2:
	case DW_EH_PE_sdata2:
		return 2;
	default:
		return 0; /* nobody writes LEB128 here */
	}
}

static bool read_number(struct bytes *b, uint8_t encoding, uint64_t *out)
{
	size_t size = size_of(encoding);
	if (size == 0 || size > (size_t)(b->end - b->at))
		return false;
	*out = 0;
	memcpy(out, b->at, size); /* little endian, as all targets */
	b->at += size;
	unsigned unused = 64 - 8 * (unsigned)size;
	if (encoding & 0x08) /* signed */
		*out = (uint64_t)((int64_t)(*out << unused) >> unused);
	return true;
}

/* --- CIEs --- */

/* How a CIE's FDEs write addresses. It stands behind what other letters of the augmentation
 * string mean. */
static uint8_t encoding_of(const Dwarf_CIE *cie)
{
	const char *letter = cie->augmentation;
	struct bytes b = {cie->augmentation_data, NULL};
	uint64_t personality;
	if (*letter == '\0')
		return DW_EH_PE_absptr;
	if (*letter++ != 'z' || !b.at)
		return DW_EH_PE_omit;
	b.end = b.at + cie->augmentation_data_size;
	for (; *letter; letter++) {
		if (*letter == 'S' || *letter == 'B')
			continue; /* no data */
		if (b.at == b.end)
			return DW_EH_PE_omit;
		uint8_t encoding = *b.at++;
		if (*letter == 'R')
			return encoding;
		if (*letter != 'L' && (*letter != 'P' || !read_number(&b, encoding, &personality)))
			return DW_EH_PE_omit;
	}
	return DW_EH_PE_absptr;
}

struct cie {
	uint64_t offset;
	uint8_t encoding;
};

/* --- one section --- */

struct scan {
	struct table *table;
	const uint8_t *data;
	uint64_t addr, bias; /* where the target has data */
	struct cie *cies;    /* by offset, as they came */
	size_t len, cap;
};

static void add_cie(struct scan *s, uint64_t offset, const Dwarf_CIE *cie)
{
	if (s->len == MAX_ENTRIES)
		return;
	MEM_GROW(s->cies, s->len, s->cap);
	s->cies[s->len++] = (struct cie){offset, encoding_of(cie)};
}

static uint8_t find_encoding(const struct scan *s, uint64_t offset)
{
	size_t lo = 0, hi = s->len;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (s->cies[mid].offset < offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->len && s->cies[lo].offset == offset ? s->cies[lo].encoding : DW_EH_PE_omit;
}

static void add_fde(struct scan *s, uint64_t offset, const Dwarf_FDE *fde)
{
	struct table *t = s->table;
	uint8_t encoding = find_encoding(s, fde->CIE_pointer), base = encoding & 0xf0;
	struct bytes b = {fde->start, fde->end};
	uint64_t start, len, field = s->addr + (uint64_t)(fde->start - s->data);
	if (t->len == MAX_ENTRIES || (base != DW_EH_PE_absptr && base != DW_EH_PE_pcrel) ||
	    !read_number(&b, encoding, &start) || !read_number(&b, encoding & 0x07, &len))
		return;
	start += base == DW_EH_PE_pcrel ? field : s->bias;
	if (len == 0 || len > UINT64_MAX - start)
		return;
	MEM_GROW(t->list, t->len, t->cap);
	t->list[t->len++] = (struct fde){start, start + len, s->addr + offset};
}

static void scan(struct scan *s, const unsigned char *ident, Elf_Data *data)
{
	const Dwarf_Off none = (Dwarf_Off)-1;
	Dwarf_CFI_Entry entry;
	s->data = data->d_buf;
	for (Dwarf_Off at = 0, next; at != none; at = next > at ? next : none) {
		next = none; /* an entry of no sane length leaves it so */
		int r = dwarf_next_cfi(ident, data, true, at, &next, &entry);
		if (r == 0 && dwarf_cfi_cie_p(&entry))
			add_cie(s, at, &entry.cie);
		else if (r == 0)
			add_fde(s, at, &entry.fde);
	}
	free(s->cies);
}

static int by_start(const void *pa, const void *pb)
{
	const struct fde *a = pa, *b = pb;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return (a->addr > b->addr) - (a->addr < b->addr);
}

/* --- one module --- */

static Elf_Scn *find_section(Elf *elf, GElf_Shdr *sh)
{
	size_t names;
	if (elf_getshdrstrndx(elf, &names) != 0)
		return NULL;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
		if (!gelf_getshdr(scn, sh) || sh->sh_type == SHT_NOBITS ||
		    !(sh->sh_flags & SHF_ALLOC))
			continue;
		const char *name = elf_strptr(elf, names, sh->sh_name);
		if (name && strcmp(name, ".eh_frame") == 0)
			return scn;
	}
	return NULL;
}

static void fill(struct table *t, struct module *mod)
{
	GElf_Shdr sh;
	GElf_Addr bias;
	Dwfl_Module *dm = module_dwfl(mod);
	Elf *elf = dwfl_module_getelf(dm, &bias);
	const char *ident = elf ? elf_getident(elf, NULL) : NULL;
	Elf_Scn *scn = ident ? find_section(elf, &sh) : NULL;
	Elf_Data *data = scn ? elf_rawdata(scn, NULL) : NULL;
	if (!data || !data->d_buf)
		return;
	struct scan s = {.table = t, .addr = sh.sh_addr + bias, .bias = bias};
	scan(&s, (const unsigned char *)ident, data);
	if (t->len > 1)
		qsort(t->list, t->len, sizeof *t->list, by_start);
}

static const struct table *find_table(struct tables *t, struct module *mod)
{
	const uint64_t *found = hash_get(t->by_module, module_id(mod));
	if (found)
		return (const struct table *)(uintptr_t)*found;
	struct table *table = mem_alloc(sizeof *table);
	fill(table, mod);
	MEM_GROW(t->list, t->len, t->cap);
	t->list[t->len++] = table;
	hash_put(t->by_module, module_id(mod), (uint64_t)(uintptr_t)table);
	return table;
}

bool tables_find(struct tables *t, struct module *mod, uint64_t addr, uint64_t *fde)
{
	if (!module_dwfl(mod))
		return false;
	const struct table *table = find_table(t, mod);
	size_t lo = 0, hi = table->len; /* lo: how many start at or below addr */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (table->list[mid].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0 || addr >= table->list[lo - 1].end)
		return false;
	*fde = table->list[lo - 1].addr;
	return true;
}
