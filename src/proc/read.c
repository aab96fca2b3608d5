/* SPDX-License-Identifier: MIT */
#include "proc/read.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

ssize_t proc_read(int fd, char *buf, size_t size)
{
	ssize_t n;
	do
		n = pread(fd, buf, size - 1, 0);
	while (n < 0 && errno == EINTR);
	buf[n > 0 ? n : 0] = '\0';
	return n;
}

char *proc_slurp(int fd, size_t *len)
{
	size_t cap = 1 << 16, used = 0;
	char *buf = mem_alloc(cap);
	for (;;) {
		ssize_t n = read(fd, buf + used, cap - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int why = errno;
			free(buf);
			errno = why;
			return NULL;
		}
		used += (size_t)n;
		buf[used] = '\0';
		if (n == 0)
			break;
		if (cap - used < 1 << 15)
			buf = mem_resize(buf, cap *= 2, 1);
	}
	if (len)
		*len = used;
	return buf;
}
