/* SPDX-License-Identifier: MIT */
#include "output/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct output_file {
	char *name, *base, *temporary; /* as given; within the folder; beside it */
	const struct output_ops *ops;
	int folder; /* -1: stdout */
};

const char *output_file_name(const struct output_file *f)
{
	return f->name;
}

void output_file_free(struct output_file *f)
{
	if (!f)
		return;
	if (f->folder >= 0)
		close(f->folder);
	free(f->name);
	free(f->base);
	free(f->temporary);
	free(f);
}

static bool failed(const struct output_file *f, int why, struct err *e)
{
	const char *cure =
	        why == ENOSPC || why == EDQUOT  ? "; what was written before is still there"
	        : why == EACCES || why == EROFS ? "; give a file in a folder that you may write"
	                                        : "";
	char text[128];
	return err_set(e, "can't write %s: %s%s", f->name, strerror_r(why, text, sizeof text),
	               cure);
}

static bool open_folder(struct output_file *f, struct err *e)
{
	char *copy = mem_strdup(f->name), *copy2 = mem_strdup(f->name);
	f->folder = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
	int why = errno;
	f->base = mem_strdup(basename(copy2));
	f->temporary = mem_printf(".%s.%d.tmp", f->base, (int)getpid());
	free(copy);
	free(copy2);
	return f->folder >= 0 || failed(f, why, e);
}

/* A rename would put a plain file in place of a device or a pipe. */
static bool is_plain_or_new(struct output_file *f, struct err *e)
{
	struct stat st;
	if (fstatat(f->folder, f->base, &st, 0) < 0)
		return errno == ENOENT || failed(f, errno, e);
	if (S_ISREG(st.st_mode))
		return true;
	return err_set(e, "can't write %s: it exists and is no plain file; use - for stdout",
	               f->name);
}

struct output_file *output_file_open(const char *name, const struct output_ops *ops, struct err *e)
{
	struct output_file *f = mem_alloc(sizeof *f);
	f->name = mem_strdup(name);
	f->ops = ops;
	f->folder = -1;
	if (strcmp(name, "-") == 0)
		return f;
	if (open_folder(f, e) && is_plain_or_new(f, e) && output_file_write(f, NULL, 0, false, e))
		return f;
	output_file_free(f);
	return NULL;
}

static bool write_stdout(const struct output_file *f, const struct output_target *t, size_t n,
                         struct err *e)
{
	errno = 0;
	f->ops->write(stdout, t, n);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	return err_sys(e, errno, "can't write to stdout");
}

/* 0 or why not. */
static int write_temporary(const struct output_file *f, const struct output_target *t, size_t n)
{
	unlinkat(f->folder, f->temporary, 0);
	int fd = openat(f->folder, f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return errno;
	FILE *file = fdopen(fd, "w");
	if (!file) {
		int why = errno;
		close(fd);
		return why;
	}
	struct stat old;
	if (fstatat(f->folder, f->base, &old, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(old.st_mode))
		fchmod(fd, old.st_mode & 0777); /* who might read it may, and nobody else */
	errno = 0;
	f->ops->write(file, t, n);
	bool bad = fflush(file) != 0 || ferror(file);
	int why = bad ? (errno ? errno : EIO) : 0;
	/* Without this, a crash of the machine may leave an empty file under the name (rename(2),
	 * ext4(5)). */
	if (!why && fsync(fd) < 0 && errno != EINVAL)
		why = errno;
	if (fclose(file) != 0 && !why)
		why = errno;
	return why;
}

bool output_file_write(struct output_file *f, const struct output_target *t, size_t n, bool final,
                       struct err *e)
{
	if (f->folder < 0)
		return !final || write_stdout(f, t, n, e);
	int why = write_temporary(f, t, n);
	if (!why && renameat(f->folder, f->temporary, f->folder, f->base) < 0)
		why = errno;
	if (!why)
		return true;
	unlinkat(f->folder, f->temporary, 0);
	return failed(f, why, e);
}
