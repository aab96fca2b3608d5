/* SPDX-License-Identifier: MIT */
#include "module/modules.h"

#include "base/mem.h"
#include "module/group.h"
#include "module/module.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct modules {
	const struct process *process;
	char *debuginfo_path;
	Dwfl_Callbacks callbacks;
	Dwfl *dwfl;
	uint64_t generation;
	uint64_t last_id;

	char *text; /* of the last maps read */
	size_t text_len;
	struct maps *maps;
	struct groups groups;
	struct module **list; /* one for each group, in the same order */
	size_t len;
	size_t known; /* of them those that are not generated */
};

static const char debuginfo_path[] = "/usr/lib/debug";

struct modules *modules_new(const struct process *p, const struct modules_config *c)
{
	struct modules *m = mem_alloc(sizeof *m);
	m->process = p;
	m->debuginfo_path = mem_strdup(debuginfo_path);
	m->callbacks = (Dwfl_Callbacks){
	        .find_elf = module_find_elf,
	        .find_debuginfo =
	                c->debuginfod ? module_find_debuginfo_or_ask : module_find_debuginfo,
	        .debuginfo_path = &m->debuginfo_path,
	};
	m->dwfl = dwfl_begin(&m->callbacks);
	m->maps = maps_parse("", 0);
	groups_make(m->maps, &m->groups);
	return m;
}

void modules_free(struct modules *m)
{
	if (!m)
		return;
	dwfl_end(m->dwfl); /* first: its Elf handles point into the modules' images */
	for (size_t i = 0; i < m->len; i++)
		module_free(m->list[i]);
	free(m->list);
	groups_clear(&m->groups);
	maps_free(m->maps);
	free(m->text);
	free(m->debuginfo_path);
	free(m);
}

/* --- which is the executable --- */

struct executable {
	uint64_t dev, inode;
	char path[4096];
};

static struct executable find_executable(const struct process *p)
{
	struct executable x = {0};
	int fd = process_openat(p, "exe", O_PATH);
	struct stat st;
	if (fd >= 0 && fstat(fd, &st) == 0) {
		x.dev = st.st_dev;
		x.inode = st.st_ino;
		char self[32];
		snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
		ssize_t n = readlink(self, x.path, sizeof x.path - 1);
		x.path[n > 0 ? n : 0] = '\0';
	}
	if (fd >= 0)
		close(fd);
	return x;
}

/* Some file systems show another device in stat(2) than in maps: then the path decides. */
static bool is_executable(const struct executable *x, const struct mapping *m)
{
	return m->inode != 0 && m->inode == x->inode &&
	       (m->dev == x->dev || strncmp(m->name, x->path, strlen(m->name)) == 0);
}

/* --- refresh --- */

static bool same_module(const struct module *mod, const struct maps *maps, const struct group *g)
{
	const struct mapping *m = &maps->list[g->first];
	return mod->start == m->start && mod->end == g->end && mod->inode == m->inode &&
	       mod->dev == m->dev && mod->extents[0].offset == m->offset &&
	       strcmp(mod->path, m->name) == 0;
}

static struct module *find_same(const struct modules *m, const struct maps *maps,
                                const struct group *g)
{
	uint64_t start = maps->list[g->first].start;
	size_t lo = 0, hi = m->len;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (m->list[mid]->start < start)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < m->len && same_module(m->list[lo], maps, g) ? m->list[lo] : NULL;
}

/* Permissions and splits of a module's mappings may change while it stays the same one. */
static void set_extents(struct module *mod, const struct maps *maps, const struct groups *groups,
                        uint32_t index)
{
	const struct group *g = &groups->list[index];
	mod->extents = mem_resize(mod->extents, g->last - g->first + 1, sizeof *mod->extents);
	mod->extents_len = 0;
	for (size_t i = g->first; i <= g->last; i++) {
		if (groups->of_mapping[i] != index)
			continue;
		const struct mapping *m = &maps->list[i];
		uint64_t offset = m->offset;
		if (m->inode == 0 && mod->extents_len > 0) { /* text moved to huge pages */
			const struct extent *before = &mod->extents[mod->extents_len - 1];
			offset = before->offset + (m->start - before->start);
		}
		mod->extents[mod->extents_len++] =
		        (struct extent){m->start, m->end, offset, m->write};
	}
}

/* A program that lives in memory only has such a name, too. */
static bool is_generated(const struct process *p, const struct mapping *m)
{
	char magic[SELFMAG];
	bool made_up = strncmp(m->name, "/memfd:", 7) == 0 || strncmp(m->name, "/dev/", 5) == 0;
	return made_up && (m->offset != 0 || process_read(p, m->start, magic, SELFMAG) != SELFMAG ||
	                   memcmp(magic, ELFMAG, SELFMAG) != 0);
}

static struct module *make_module(struct modules *m, const struct maps *maps, const struct group *g,
                                  const struct executable *x)
{
	const struct mapping *first = &maps->list[g->first];
	struct module *mod = mem_alloc(sizeof *mod);
	mod->process = m->process;
	mod->id = ++m->last_id;
	mod->path = mem_strdup(first->name);
	mod->dev = first->dev;
	mod->inode = first->inode;
	mod->start = first->start;
	mod->end = g->end;
	mod->deleted = first->deleted;
	mod->is_vdso = first->inode == 0;
	mod->is_main = is_executable(x, first);
	mod->is_generated = is_generated(m->process, first);
	mod->fd = -1;
	return mod;
}

/* libdwfl keeps a module that is reported again with the same name and range, and its Elf points
 * into our image: the name must tell any two of our modules apart. */
static void report(struct modules *m, struct module *const *list, size_t len)
{
	dwfl_report_begin(m->dwfl);
	for (size_t i = 0; i < len; i++) {
		struct module *mod = list[i];
		if (mod->is_generated)
			continue;
		char *name = mem_printf("%s#%llu", mod->path, (unsigned long long)mod->id);
		void **userdata = NULL;
		mod->dwfl = dwfl_report_module(m->dwfl, name, mod->start, mod->end);
		if (mod->dwfl)
			dwfl_module_info(mod->dwfl, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
		if (userdata)
			*userdata = mod;
		free(name);
	}
	dwfl_report_end(m->dwfl, NULL, NULL);
}

/* Takes over maps, groups and list. */
static void adopt(struct modules *m, struct maps *maps, struct groups *groups, struct module **list)
{
	for (size_t i = 0; i < m->len; i++) {
		if (!m->list[i]->kept)
			module_free(m->list[i]);
		else
			m->list[i]->kept = false;
	}
	free(m->list);
	groups_clear(&m->groups);
	maps_free(m->maps);
	m->maps = maps;
	m->groups = *groups;
	m->list = list;
	m->len = groups->len;
}

static bool take_maps(struct modules *m, struct maps *maps)
{
	struct groups groups;
	groups_make(maps, &groups);
	struct module **list = mem_alloc(groups.len * sizeof(struct module *));
	struct executable x = {0};
	size_t same = 0, known = 0;
	for (size_t i = 0; i < groups.len; i++) {
		list[i] = find_same(m, maps, &groups.list[i]);
		if (list[i]) {
			list[i]->kept = true;
			same += !list[i]->is_generated;
		} else {
			if (!x.inode)
				x = find_executable(m->process);
			list[i] = make_module(m, maps, &groups.list[i], &x);
		}
		set_extents(list[i], maps, &groups, (uint32_t)i);
		known += !list[i]->is_generated;
	}
	bool changed = same != known || same != m->known;
	if (changed) {
		report(m, list, groups.len);
		m->generation++;
	}
	adopt(m, maps, &groups, list);
	m->known = known;
	return changed;
}

bool modules_refresh(struct modules *m)
{
	size_t len = 0;
	char *text = process_slurp(m->process, "maps", &len);
	/* A process that ended shows an empty file for a while. */
	if (!text || len == 0 || (m->text && len == m->text_len && !memcmp(text, m->text, len))) {
		free(text);
		return false;
	}
	free(m->text);
	m->text = text;
	m->text_len = len;
	return take_maps(m, maps_parse(text, len));
}

/* --- questions --- */

uint64_t modules_generation(const struct modules *m)
{
	return m->generation;
}

Dwfl *modules_dwfl(const struct modules *m)
{
	return m->dwfl;
}

const struct mapping *modules_mapping(const struct modules *m, uint64_t addr)
{
	return maps_find(m->maps, addr);
}

struct module *modules_find(const struct modules *m, uint64_t addr)
{
	const struct mapping *at = maps_find(m->maps, addr);
	if (!at)
		return NULL;
	uint32_t index = m->groups.of_mapping[at - m->maps->list];
	return index == GROUP_NONE ? NULL : m->list[index];
}

/* The whole module of which mod maps only a part again; NULL if mod is one itself. */
static const struct module *find_whole(const struct modules *m, const struct module *mod)
{
	if (mod->extents[0].offset == 0)
		return NULL;
	for (size_t i = 0; i < m->len; i++) {
		const struct module *other = m->list[i];
		if (other != mod && other->inode == mod->inode && other->dev == mod->dev &&
		    other->extents[0].offset == 0 && strcmp(other->path, mod->path) == 0)
			return other;
	}
	return NULL;
}

uint64_t modules_canonical(const struct modules *m, uint64_t addr)
{
	const struct module *mod = modules_find(m, addr);
	const struct module *whole = mod ? find_whole(m, mod) : NULL;
	if (!whole)
		return addr;
	uint64_t offset = module_offset(mod, addr);
	for (size_t i = 0; i < whole->extents_len; i++) {
		const struct extent *x = &whole->extents[i];
		if (!x->write && offset >= x->offset && offset - x->offset < x->end - x->start)
			return x->start + (offset - x->offset);
	}
	return addr;
}

bool modules_mapped(const struct modules *m, uint64_t addr)
{
	return maps_find(m->maps, addr) != NULL;
}

struct modules_stats modules_stats(const struct modules *m)
{
	struct modules_stats s = {.known = m->known};
	for (size_t i = 0; i < m->len; i++) {
		s.opened += m->list[i]->state == MODULE_FILE;
		s.from_memory += m->list[i]->state == MODULE_MEMORY;
		s.missing += m->list[i]->state == MODULE_MISSING && !find_whole(m, m->list[i]);
		s.mismatched += m->list[i]->mismatched;
	}
	return s;
}
