/* SPDX-License-Identifier: MIT */
#include "app/recorder.h"

#include "base/mem.h"
#include "output/file.h"
#include "output/folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct recorder {
	struct log *log;
	struct output_file **files;
	size_t len;
	char *folder;
	FILE *report, *summary, *log_file;
	char last_error[512];
};

static bool add_file(struct recorder *r, const char *name, const struct output_ops *ops,
                     struct err *e)
{
	struct output_file *f = output_file_open(name, ops, e);
	if (!f)
		return false;
	r->files = mem_resize(r->files, r->len + 1, sizeof *r->files);
	r->files[r->len++] = f;
	return true;
}

/* A name that is safe as part of a path: the target chose it. */
static void safe_name(const char *name, char *out, size_t size)
{
	size_t n = 0;
	for (; *name && n + 1 < size; name++) {
		bool plain = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
		             (*name >= '0' && *name <= '9') || strchr("-_.", *name);
		out[n++] = plain ? *name : '_';
	}
	out[n] = '\0';
}

static bool make_folder(struct recorder *r, const char *dir, const char *name, pid_t pid,
                        struct err *e)
{
	char stamp[32], safe[64];
	time_t now = time(NULL);
	struct tm tm;
	strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", localtime_r(&now, &tm));
	safe_name(name, safe, sizeof safe);
	for (int i = 0; i < 100; i++) {
		free(r->folder);
		r->folder =
		        i == 0 ? mem_printf("%s/memtop-%s-%s-%d", dir, stamp, safe, (int)pid)
		               : mem_printf("%s/memtop-%s-%s-%d.%d", dir, stamp, safe, (int)pid, i);
		if (mkdir(r->folder, 0777) == 0)
			return true;
		if (errno != EEXIST)
			break;
	}
	return err_sys(e, errno, "can't make a folder in %s", dir);
}

static FILE *open_in(const struct recorder *r, const char *name, struct err *e)
{
	char *path = mem_printf("%s/%s", r->folder, name);
	FILE *f = fopen(path, "wxe");
	if (!f)
		err_sys(e, errno, "can't write %s", path);
	free(path);
	return f;
}

static bool add_in(struct recorder *r, const char *name, const struct output_ops *ops,
                   struct err *e)
{
	char *path = mem_printf("%s/%s", r->folder, name);
	bool ok = add_file(r, path, ops, e);
	free(path);
	return ok;
}

static bool fill_folder(struct recorder *r, struct err *e)
{
	if (!add_in(r, "stacks.folded", &output_folded, e) ||
	    !add_in(r, "tree.txt", &output_tree, e) || !add_in(r, "rss.csv", &output_rss, e))
		return false;
	r->report = open_in(r, "report.txt", e);
	r->summary = r->report ? open_in(r, "summary.txt", e) : NULL;
	r->log_file = r->summary ? open_in(r, "memtop.log", e) : NULL;
	r->log->file = r->log_file;
	return r->log_file != NULL;
}

struct recorder *recorder_open(const struct options *o, const char *name, pid_t pid, struct log *l,
                               struct err *e)
{
	struct recorder *r = mem_alloc(sizeof *r);
	r->log = l;
	for (size_t i = 0; i < o->records_len; i++)
		if (!add_file(r, o->records[i].file, o->records[i].ops, e))
			goto fail;
	if (o->output_dir) {
		if (!make_folder(r, o->output_dir, name, pid, e) || !fill_folder(r, e))
			goto fail;
		log_info(l, "writing to %s", r->folder);
	}
	return r;
fail:
	recorder_free(r);
	return NULL;
}

static void close_stream(FILE *f)
{
	if (f)
		fclose(f);
}

void recorder_free(struct recorder *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->len; i++)
		output_file_free(r->files[i]);
	free(r->files);
	free(r->folder);
	close_stream(r->report);
	close_stream(r->summary);
	if (r->log_file && r->log->file == r->log_file)
		r->log->file = NULL;
	close_stream(r->log_file);
	free(r);
}

static void complain(struct recorder *r, const struct err *e)
{
	if (strcmp(r->last_error, e->text) == 0)
		return;
	memcpy(r->last_error, e->text, sizeof r->last_error);
	log_error(r->log, "%s; sampling goes on", e->text);
}

bool recorder_write(struct recorder *r, const struct output_target *targets, size_t n, bool final)
{
	bool ok = true;
	for (size_t i = 0; i < r->len; i++) {
		struct err e;
		if (!output_file_write(r->files[i], targets, n, final, &e)) {
			complain(r, &e);
			ok = false;
		}
	}
	if (r->report && fflush(r->report) != 0) {
		struct err e;
		err_sys(&e, errno, "can't write %s/report.txt", r->folder);
		complain(r, &e);
		clearerr(r->report);
		ok = false;
	}
	return ok;
}

FILE *recorder_report(const struct recorder *r)
{
	return r->report;
}

FILE *recorder_summary(const struct recorder *r)
{
	return r->summary;
}
