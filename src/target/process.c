/* SPDX-License-Identifier: MIT */
#include "target/process.h"

#include "base/mem.h"
#include "base/text.h"
#include "proc/read.h"
#include "proc/stat.h"
#include "target/refusal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct process {
	pid_t pid;
	int pidfd;
	int dir; /* /proc/PID: bound to this process, whoever gets the number later (proc(5)) */
	char name[80];
	atomic_int *thread; /* whose memory files serve: the leader while it lives */
};

static void read_name(struct process *p)
{
	size_t n;
	char *text = process_slurp(p, "comm", &n);
	if (text && n > 0) {
		text[n - 1] = '\0'; /* the kernel's newline; there may be others */
		text_printable(text, p->name, sizeof p->name);
	}
	free(text);
}

/* The process is a thread's number where /proc/PID opens but isn't listed: pidfd_open(2) refuses
 * those. */
static bool open_handles(struct process *p, struct err *e)
{
	char path[32];
	snprintf(path, sizeof path, "/proc/%d", (int)p->pid);
	p->dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->dir < 0)
		return refusal_no_process(p->pid, e);
	p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (p->pidfd >= 0)
		return true;
	if (errno == ESRCH)
		return refusal_no_process(p->pid, e);
	if (errno == EINVAL || errno == ENOENT)
		return err_set(e,
		               "can't watch pid %d: that is a thread; give its process's PID (Tgid "
		               "in %s/status)",
		               (int)p->pid, path);
	return err_sys(e, errno, "can't watch pid %d: pidfd_open (Linux 5.3 or later is needed)",
	               (int)p->pid);
}

struct process *process_open(pid_t pid, struct err *e)
{
	struct process *p = mem_alloc(sizeof *p);
	*p = (struct process){.pid = pid, .pidfd = -1, .dir = -1, .name = "?"};
	p->thread = mem_alloc(sizeof *p->thread);
	atomic_init(p->thread, pid);
	if (!open_handles(p, e) || !refusal_check(pid, p->dir, e)) {
		process_free(p);
		return NULL;
	}
	process_follow(p);
	read_name(p);
	return p;
}

void process_free(struct process *p)
{
	if (!p)
		return;
	if (p->pidfd >= 0)
		close(p->pidfd);
	if (p->dir >= 0)
		close(p->dir);
	free(p->thread);
	free(p);
}

pid_t process_pid(const struct process *p)
{
	return p->pid;
}

const char *process_name(const struct process *p)
{
	return p->name;
}

void process_rename(struct process *p)
{
	read_name(p);
}

int process_pidfd(const struct process *p)
{
	return p->pidfd;
}

bool process_alive(const struct process *p)
{
	struct pollfd f = {.fd = p->pidfd, .events = POLLIN};
	return poll(&f, 1, 0) == 0;
}

static char thread_state(const struct process *p, int tid)
{
	char path[32], text[1024];
	struct proc_stat s;
	snprintf(path, sizeof path, "task/%d/stat", tid);
	int fd = openat(p->dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	bool ok = proc_read(fd, text, sizeof text) > 0 && proc_stat_parse(text, &s);
	close(fd);
	return ok ? s.state : 0;
}

static bool lives(const struct process *p, int tid)
{
	char state = tid > 0 ? thread_state(p, tid) : 0;
	return state && state != 'Z' && state != 'X';
}

bool process_follow(const struct process *p)
{
	if (lives(p, atomic_load(p->thread)))
		return true;
	int fd = openat(p->dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	const struct dirent *d;
	int tid = 0;
	while (tid == 0 && (d = readdir(dir)))
		tid = lives(p, atoi(d->d_name)) ? atoi(d->d_name) : 0;
	closedir(dir);
	if (tid > 0)
		atomic_store(p->thread, tid);
	return tid > 0;
}

int process_openat(const struct process *p, const char *path, int flags)
{
	char other[4200];
	int tid = atomic_load(p->thread);
	if (tid == p->pid || strncmp(path, "task", 4) == 0)
		return openat(p->dir, path, flags | O_CLOEXEC);
	int n = snprintf(other, sizeof other, "task/%d/%s", tid, path);
	if (n < 0 || (size_t)n >= sizeof other) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return openat(p->dir, other, flags | O_CLOEXEC);
}

char *process_slurp(const struct process *p, const char *path, size_t *len)
{
	int fd = process_openat(p, path, O_RDONLY);
	if (fd < 0)
		return NULL;
	char *text = proc_slurp(fd, len);
	int why = errno;
	close(fd);
	errno = why;
	return text;
}

size_t process_read(const struct process *p, uint64_t addr, void *buf, size_t len)
{
	struct iovec here = {buf, len}, there = {(void *)(uintptr_t)addr, len};
	ssize_t n = process_vm_readv(atomic_load(p->thread), &here, 1, &there, 1, 0);
	if (n <= 0 || !process_alive(p)) /* the number may be another's by now */
		return 0;
	return (size_t)n;
}
