/* SPDX-License-Identifier: MIT */
#include "proc/maps.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

static bool hex(char **s, char end, uint64_t *out)
{
	char *stop;
	*out = strtoull(*s, &stop, 16);
	if (stop == *s || *stop != end)
		return false;
	*s = stop + 1;
	return true;
}

static bool flag(char **s, char on, bool *out)
{
	*out = **s == on;
	return *(*s)++ != '\0';
}

/* The kernel writes a newline in a name as \012 (seq_path_root in fs/seq_file.c), and nothing else.
 */
static void decode_newlines(char *s)
{
	char *to = s;
	while (*s) {
		if (strncmp(s, "\\012", 4) == 0) {
			*to++ = '\n';
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

static void cut_deleted(struct mapping *m, char *name)
{
	static const char tail[] = " (deleted)";
	size_t n = strlen(name), t = sizeof tail - 1;
	if (m->inode && n > t && strcmp(name + n - t, tail) == 0) {
		name[n - t] = '\0';
		m->deleted = true;
	}
}

/* "start-end rwxp offset major:minor inode   name" */
static bool parse_line(char *s, struct mapping *m)
{
	uint64_t major, minor;
	bool private;
	*m = (struct mapping){0};
	if (!hex(&s, '-', &m->start) || !hex(&s, ' ', &m->end) || m->end <= m->start)
		return false;
	if (!flag(&s, 'r', &m->read) || !flag(&s, 'w', &m->write) || !flag(&s, 'x', &m->exec) ||
	    !flag(&s, 'p', &private) || *s++ != ' ')
		return false;
	m->shared = !private;
	if (!hex(&s, ' ', &m->offset) || !hex(&s, ':', &major) || !hex(&s, ' ', &minor))
		return false;
	m->dev = makedev((unsigned)major, (unsigned)minor);
	char *stop;
	m->inode = strtoull(s, &stop, 10);
	if (stop == s)
		return false;
	s = stop + strspn(stop, " ");
	decode_newlines(s);
	cut_deleted(m, s);
	m->name = s;
	return true;
}

struct maps *maps_parse(const char *text, size_t len)
{
	struct maps *m = mem_alloc(sizeof *m);
	m->text = mem_alloc(len + 1);
	memcpy(m->text, text, len);
	size_t cap = 0;
	char *next;
	for (char *line = m->text; *line; line = next) {
		next = strchrnul(line, '\n');
		if (*next)
			*next++ = '\0';
		MEM_GROW(m->list, m->len, cap);
		if (parse_line(line, &m->list[m->len]) &&
		    (m->len == 0 || m->list[m->len].start >= m->list[m->len - 1].end))
			m->len++;
		else
			m->bad_lines++;
	}
	return m;
}

void maps_free(struct maps *m)
{
	if (!m)
		return;
	free(m->list);
	free(m->text);
	free(m);
}

const struct mapping *maps_find(const struct maps *m, uint64_t addr)
{
	size_t low = 0, high = m->len;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (addr < m->list[mid].start)
			high = mid;
		else if (addr >= m->list[mid].end)
			low = mid + 1;
		else
			return &m->list[mid];
	}
	return NULL;
}
