/* SPDX-License-Identifier: MIT */
#include "symbol/symbolizer.h"

#include "base/hash.h"
#include "base/mem.h"
#include "proc/maps.h"
#include "symbol/demangle.h"
#include "symbol/lines.h"
#include "symbol/symtab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAME 4096 /* a longer symbol is cut */

/* What was read of one module. */
struct source {
	uint64_t id;   /* module_id */
	uint64_t addr; /* one of its addresses */
	struct symtab *symtab;
	struct lines *lines;
};

struct entry {
	size_t len;
	struct frame frames[];
};

struct symbolizer {
	struct modules *modules;
	struct intern *strings;
	struct symbolizer_config config;
	struct hash *sources; /* module_id -> struct source * */
	struct source **source_list;
	size_t source_len, source_cap;
	struct hash *by_addr;  /* -> struct entry *; only addresses in modules */
	struct hash *by_place; /* interned name -> struct entry *; the others */
	struct entry **entries;
	size_t len, cap;
};

struct symbolizer *symbolizer_new(struct modules *m, struct intern *strings,
                                  const struct symbolizer_config *c)
{
	struct symbolizer *s = mem_alloc(sizeof *s);
	s->modules = m;
	s->strings = strings;
	s->config = *c;
	s->sources = hash_new();
	s->by_addr = hash_new();
	s->by_place = hash_new();
	return s;
}

static void free_source(struct source *src)
{
	symtab_free(src->symtab);
	lines_free(src->lines);
	free(src);
}

static void drop_entries(struct symbolizer *s)
{
	for (size_t i = 0; i < s->len; i++)
		free(s->entries[i]);
	s->len = 0;
	hash_clear(s->by_addr);
	hash_clear(s->by_place);
}

void symbolizer_free(struct symbolizer *s)
{
	if (!s)
		return;
	drop_entries(s);
	for (size_t i = 0; i < s->source_len; i++)
		free_source(s->source_list[i]);
	free(s->source_list);
	free(s->entries);
	hash_free(s->sources);
	hash_free(s->by_addr);
	hash_free(s->by_place);
	free(s);
}

/* Modules that stayed keep their tables. */
void symbolizer_modules_changed(struct symbolizer *s)
{
	size_t kept = 0;
	drop_entries(s);
	hash_clear(s->sources);
	for (size_t i = 0; i < s->source_len; i++) {
		struct source *src = s->source_list[i];
		const struct module *mod = modules_find(s->modules, src->addr);
		if (!mod || module_id(mod) != src->id) {
			free_source(src);
			continue;
		}
		s->source_list[kept++] = src;
		hash_put(s->sources, src->id, (uint64_t)(uintptr_t)src);
	}
	s->source_len = kept;
}

static struct source *find_source(struct symbolizer *s, struct module *mod, Dwfl_Module *dm,
                                  uint64_t addr)
{
	const uint64_t *found = hash_get(s->sources, module_id(mod));
	if (found)
		return (struct source *)(uintptr_t)*found;
	struct source *src = mem_alloc(sizeof *src);
	*src = (struct source){module_id(mod), addr, symtab_new(dm), lines_new(dm)};
	MEM_GROW(s->source_list, s->source_len, s->source_cap);
	s->source_list[s->source_len++] = src;
	hash_put(s->sources, src->id, (uint64_t)(uintptr_t)src);
	return src;
}

/* --- names --- */

static const char *intern_cut(struct symbolizer *s, const char *text, size_t len)
{
	char *copy = strndup(text, len < MAX_NAME ? len : MAX_NAME);
	const char *name = intern_str(s->strings, copy);
	free(copy);
	return name;
}

static const char *symbol_name(struct symbolizer *s, const char *symbol)
{
	char *plain = demangle(symbol);
	const char *name = plain ? intern_cut(s, plain, strlen(plain))
	                         : intern_cut(s, symbol, strcspn(symbol, "@"));
	free(plain);
	return name;
}

static const char *line_frame_name(struct symbolizer *s, const struct line_frame *f)
{
	if (f->linkage)
		return symbol_name(s, f->linkage);
	return f->name ? intern_cut(s, f->name, strlen(f->name)) : NULL;
}

/* The offset is that of the address looked up, so for a call it lies in the call instruction: as
 * addr2line and gdb want it, and the same in every run. */
static const char *offset_name(struct symbolizer *s, const struct module *mod, uint64_t addr)
{
	char *text = mem_printf("%s+0x%llx", module_name(mod),
	                        (unsigned long long)module_offset(mod, addr));
	const char *name = intern_str(s->strings, text);
	free(text);
	return name;
}

/* Code outside of modules. No address in the name: there are too many, and none lasts. */
static const char *place_name(const struct mapping *at)
{
	if (!at)
		return "[unknown]";
	if (at->name[0] == '[')
		return at->name; /* "[heap]", "[anon:v8]" */
	if (at->exec)
		return "[jit]";
	return at->inode ? "[file]" : "[anon]";
}

/* --- entries --- */

static struct entry *new_entry(struct symbolizer *s, size_t len)
{
	struct entry *e = mem_alloc(sizeof *e + len * sizeof e->frames[0]);
	e->len = len;
	MEM_GROW(s->entries, s->len, s->cap);
	s->entries[s->len++] = e;
	return e;
}

static struct entry *place_entry(struct symbolizer *s, const char *place)
{
	const char *name = intern_str(s->strings, place);
	const uint64_t *found = hash_get(s->by_place, (uint64_t)(uintptr_t)name);
	if (found)
		return (struct entry *)(uintptr_t)*found;
	struct entry *e = new_entry(s, 1);
	e->frames[0] = (struct frame){.function = name};
	hash_put(s->by_place, (uint64_t)(uintptr_t)name, (uint64_t)(uintptr_t)e);
	return e;
}

static const char *file_name(struct symbolizer *s, const struct line_frame *line)
{
	if (!line->file || line->file[0] == '/' || !line->folder)
		return intern_str(s->strings, line->file);
	char *path = mem_printf("%s/%s", line->folder, line->file);
	const char *name = intern_str(s->strings, path);
	free(path);
	return name;
}

/* The concrete function: the symbol table's name counts, as it has one also without debug info. */
static void fill_concrete(struct symbolizer *s, struct frame *f, const char *symbol,
                          const struct line_frame *line)
{
	const char *name = symbol ? symbol_name(s, symbol) : NULL;
	if (!name && line)
		name = line_frame_name(s, line);
	if (name) {
		f->function = name;
		f->named = true;
	}
	if (line) {
		f->file = file_name(s, line);
		f->line = line->line;
	}
}

static void fill_inlined(struct symbolizer *s, struct frame *f, const struct line_frame *line)
{
	const char *name = line_frame_name(s, line);
	f->function = name ? name : intern_str(s->strings, "[inlined]");
	f->named = name != NULL;
	f->file = file_name(s, line);
	f->line = line->line;
	f->inlined = true;
}

static struct entry *known_entry(struct symbolizer *s, struct module *mod, Dwfl_Module *dm,
                                 uint64_t addr)
{
	struct line_frame lines[LINES_MAX];
	struct source *src = find_source(s, mod, dm, addr);
	size_t n = lines_find(src->lines, addr, lines);
	size_t first = n > 1 && !s->config.inlines ? n - 1 : 0;
	size_t len = n > 0 ? n - first : 1;
	struct entry *e = new_entry(s, len);
	struct frame *last = &e->frames[len - 1];
	for (size_t i = 0; i + 1 < len; i++)
		fill_inlined(s, &e->frames[i], &lines[i]);
	fill_concrete(s, last, symtab_find(src->symtab, addr), n > 0 ? &lines[n - 1] : NULL);
	if (!last->function)
		last->function = offset_name(s, mod, addr);
	return e;
}

static struct entry *module_entry(struct symbolizer *s, struct module *mod, uint64_t addr)
{
	if (module_is_generated(mod))
		return place_entry(s, "[jit]");
	uint64_t same = modules_canonical(s->modules, addr);
	struct module *whole = same == addr ? mod : modules_find(s->modules, same);
	Dwfl_Module *dm = module_dwfl(whole);
	struct entry *e;
	if (dm) {
		e = known_entry(s, whole, dm, same);
	} else {
		e = new_entry(s, 1);
		e->frames[0].function = offset_name(s, mod, addr);
	}
	for (size_t i = 0; i < e->len; i++)
		e->frames[i].module = intern_str(s->strings, module_name(mod));
	hash_put(s->by_addr, addr, (uint64_t)(uintptr_t)e);
	return e;
}

const struct frame *symbolizer_lookup(struct symbolizer *s, struct chain_frame pc, size_t *count)
{
	uint64_t addr = pc.exact ? pc.pc : pc.pc - 1;
	const uint64_t *found = hash_get(s->by_addr, addr);
	const struct entry *e;
	if (found) {
		e = (const struct entry *)(uintptr_t)*found;
	} else {
		struct module *mod = modules_find(s->modules, addr);
		e = mod ? module_entry(s, mod, addr)
		        : place_entry(s, place_name(modules_mapping(s->modules, addr)));
	}
	*count = e->len;
	return e->frames;
}
