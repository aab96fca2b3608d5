/* SPDX-License-Identifier: MIT */
#include "target/find.h"

#include "base/text.h"
#include "proc/read.h"
#include "proc/stat.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_file(pid_t pid, const char *file, char *buf, size_t size)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = proc_read(fd, buf, size);
	close(fd);
	return n > 0;
}

static bool has_name(pid_t pid, const struct proc_stat *s, const char *name)
{
	if (strcmp(s->comm, name) == 0)
		return true;
	char command[4096];
	if (!read_file(pid, "cmdline", command, sizeof command))
		return false;
	const char *slash = strrchr(command, '/'); /* argv[0] ends at its NUL */
	return strcmp(slash ? slash + 1 : command, name) == 0;
}

pid_t find_newest(const char *name, struct err *e)
{
	pid_t newest = 0;
	uint64_t newest_start = 0;
	DIR *dir = opendir("/proc");
	const struct dirent *d;
	while (dir && (d = readdir(dir))) {
		pid_t pid = (pid_t)atoi(d->d_name);
		char text[1024];
		struct proc_stat s;
		if (pid <= 0 || pid == getpid() || !read_file(pid, "stat", text, sizeof text) ||
		    !proc_stat_parse(text, &s) || s.state == 'Z' || !has_name(pid, &s, name))
			continue;
		if (s.start_time > newest_start || (s.start_time == newest_start && pid > newest)) {
			newest = pid;
			newest_start = s.start_time;
		}
	}
	if (dir)
		closedir(dir);
	if (!newest) {
		char shown[200];
		text_printable(name, shown, sizeof shown);
		err_set(e, "no process is called \"%s\"; ps -e lists their names", shown);
	}
	return newest;
}
