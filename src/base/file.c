/* SPDX-License-Identifier: MIT */
#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int file_open_plain(int path_fd, struct stat *st)
{
	int fd = -1;
	char self[32];
	if (path_fd < 0)
		return -1;
	if (fstat(path_fd, st) == 0 && S_ISREG(st->st_mode)) {
		snprintf(self, sizeof self, "/proc/self/fd/%d", path_fd);
		fd = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	close(path_fd);
	return fd;
}
