/* SPDX-License-Identifier: MIT */
#include "symbol/source.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SIZE  (8 << 20)
#define MAX_FILES 256 /* kept; more than a report shows */
#define MAX_LINE  400

struct sources {
	struct hash *files; /* hash of the path -> text or 0 */
	char *texts[MAX_FILES];
	size_t len;
};

struct sources *sources_new(void)
{
	struct sources *s = mem_alloc(sizeof *s);
	s->files = hash_new();
	return s;
}

void sources_free(struct sources *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->len; i++)
		free(s->texts[i]);
	hash_free(s->files);
	free(s);
}

/* Debug information may name any file. memtop as root must not print what only root may read, and
 * what a file in these folders does when read is anybody's guess. */
static bool may_show(const char *path, const struct stat *st)
{
	if (strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0 ||
	    strncmp(path, "/dev/", 5) == 0 || strstr(path, "/../proc/") || strstr(path, "/../sys/"))
		return false;
	return st->st_mode & S_IROTH || (geteuid() != 0 && st->st_uid == geteuid());
}

static char *load(const char *path)
{
	struct stat st;
	int fd = file_open_plain(open(path, O_PATH | O_CLOEXEC), &st);
	if (fd < 0)
		return NULL;
	char *text = NULL;
	if (may_show(path, &st) && st.st_size > 0 && st.st_size <= MAX_SIZE) {
		text = mem_alloc((size_t)st.st_size + 1);
		ssize_t n = read(fd, text, (size_t)st.st_size);
		text[n > 0 ? n : 0] = '\0';
	}
	close(fd);
	return text;
}

static const char *text_of(struct sources *s, const char *path)
{
	uint64_t key = hash_bytes(path, strlen(path), 3);
	const uint64_t *found = hash_get(s->files, key);
	if (found)
		return (const char *)(uintptr_t)*found;
	if (s->len >= MAX_FILES)
		return NULL;
	char *text = s->texts[s->len++] = load(path);
	hash_put(s->files, key, (uint64_t)(uintptr_t)text);
	return text;
}

bool sources_line(struct sources *s, const char *file, int line, char *out, size_t size)
{
	const char *at = file && line > 0 ? text_of(s, file) : NULL;
	for (int i = 1; at && i < line; i++) {
		at = strchr(at, '\n');
		at += at != NULL;
	}
	if (!at)
		return false;
	at += strspn(at, " \t");
	size_t n = strcspn(at, "\r\n");
	char text[MAX_LINE];
	if (n >= sizeof text)
		n = sizeof text - 1;
	for (size_t i = 0; i < n; i++)
		text[i] = at[i] == '\t' ? ' ' : at[i];
	text[n] = '\0';
	text_printable(text, out, size);
	return n > 0;
}
