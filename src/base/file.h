/* SPDX-License-Identifier: MIT */
#ifndef MEMTOP_BASE_FILE_H
#define MEMTOP_BASE_FILE_H

#include <sys/stat.h>

/* Opens for reading what path_fd (O_PATH, or -1 with errno) holds, and closes path_fd. A descriptor
 * and its stat(2), or -1 if it isn't a plain file: the mere opening of a device or a FIFO can have
 * an effect (a watchdog starts, a writer goes on), so hostile paths must not lead to one. */
int file_open_plain(int path_fd, struct stat *st);

#endif
