/* SPDX-License-Identifier: MIT */
#include "target/refusal.h"

#include "base/text.h"
#include "proc/read.h"
#include "proc/rss.h"
#include "proc/stat.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

#define TEXT_SIZE 8192

/* What is known of the process before anything is tried. */
struct facts {
	pid_t pid;
	char name[80]; /* printable */
	struct proc_stat stat;
	struct proc_status status;
};

static bool slurp_at(int dir, const char *path, char *buf, size_t size)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = proc_read(fd, buf, size);
	close(fd);
	return n > 0;
}

static bool gather(pid_t pid, int procfd, struct facts *f)
{
	char text[TEXT_SIZE];
	f->pid = pid;
	if (!slurp_at(procfd, "stat", text, sizeof text) || !proc_stat_parse(text, &f->stat))
		return false;
	text_printable(f->stat.comm, f->name, sizeof f->name);
	return slurp_at(procfd, "status", text, sizeof text) && proc_status_parse(text, &f->status);
}

/* Name of another process, for messages. */
static void name_of(pid_t pid, char *out, size_t size)
{
	char path[64], text[64] = "";
	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	slurp_at(AT_FDCWD, path, text, sizeof text);
	text[strcspn(text, "\n")] = '\0';
	text_printable(text[0] ? text : "?", out, size);
}

static pid_t own_tracer(void)
{
	char text[TEXT_SIZE];
	struct proc_status s;
	if (!slurp_at(AT_FDCWD, "/proc/self/status", text, sizeof text) ||
	    !proc_status_parse(text, &s))
		return 0;
	return (pid_t)s.tracer;
}

static bool has_capability(unsigned cap)
{
	char text[TEXT_SIZE];
	if (!slurp_at(AT_FDCWD, "/proc/self/status", text, sizeof text))
		return false;
	const char *line = strstr(text, "\nCapEff:");
	return line && (strtoull(line + 8, NULL, 16) >> cap & 1);
}

static int yama_scope(void)
{
	char text[16];
	if (!slurp_at(AT_FDCWD, "/proc/sys/kernel/yama/ptrace_scope", text, sizeof text))
		return 0;
	return atoi(text);
}

/* A filter answers before the kernel looks at the arguments; the kernel itself says ESRCH to a
 * request on a process that isn't traced by us, such as our parent. */
static bool ptrace_is_filtered(void)
{
	errno = 0;
	ptrace(PTRACE_PEEKUSER, getpid(), NULL, NULL);
	return errno == EPERM || errno == ENOSYS || errno == EACCES;
}

/* process_vm_readv asks for the same access as PTRACE_SEIZE (PTRACE_MODE_ATTACH_REALCREDS,
 * ptrace(2)). */
static bool access_is_denied(pid_t pid)
{
	char byte;
	struct iovec here = {&byte, 1}, there = {(void *)1, 1};
	return process_vm_readv(pid, &here, 1, &there, 1, 0) < 0 && errno == EPERM;
}

static void user_name(uid_t uid, char *out, size_t size)
{
	const struct passwd *pw = getpwuid(uid);
	if (pw)
		text_printable(pw->pw_name, out, size);
	else
		snprintf(out, size, "uid %u", (unsigned)uid);
}

static bool explain_denied(const struct facts *f, struct err *e)
{
	uid_t owner = f->status.uid;
	bool capable = has_capability(CAP_SYS_PTRACE);
	if (owner != geteuid() && !capable) {
		char who[64];
		user_name(owner, who, sizeof who);
		return err_set(
		        e,
		        "can't watch %s (pid %d): it belongs to %s, and this needs CAP_SYS_PTRACE; "
		        "run memtop as that user or with sudo",
		        f->name, (int)f->pid, who);
	}
	int scope = yama_scope();
	if (scope == 3)
		return err_set(
		        e,
		        "can't watch %s (pid %d): kernel.yama.ptrace_scope is 3, which forbids "
		        "ptrace to all until the next boot; boot with another value",
		        f->name, (int)f->pid);
	if (scope == 2 && !capable)
		return err_set(
		        e,
		        "can't watch %s (pid %d): kernel.yama.ptrace_scope is 2, so this needs "
		        "CAP_SYS_PTRACE; use sudo",
		        f->name, (int)f->pid);
	if (scope == 1 && !capable)
		return err_set(
		        e,
		        "can't watch %s (pid %d): kernel.yama.ptrace_scope is 1, which allows only "
		        "memtop's own children; use sudo, or sysctl kernel.yama.ptrace_scope=0, or "
		        "start it with memtop -- COMMAND",
		        f->name, (int)f->pid);
	if (!capable)
		return err_set(
		        e,
		        "can't watch %s (pid %d): it is protected (set-user-ID, not dumpable, or "
		        "with "
		        "more capabilities than memtop), and this needs CAP_SYS_PTRACE; use sudo",
		        f->name, (int)f->pid);
	return err_set(
	        e,
	        "can't watch %s (pid %d): a security module (AppArmor, SELinux, …) or a user "
	        "namespace forbids it although memtop has CAP_SYS_PTRACE; see the kernel's audit "
	        "log",
	        f->name, (int)f->pid);
}

/* True where the executable is readable and for another word size. */
static bool is_32bit(int procfd)
{
	unsigned char ident[EI_NIDENT];
	int fd = openat(procfd, "exe", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	bool yes = read(fd, ident, sizeof ident) == (ssize_t)sizeof ident &&
	           memcmp(ident, ELFMAG, SELFMAG) == 0 && ident[EI_CLASS] == ELFCLASS32;
	close(fd);
	return yes;
}

static bool check_state(const struct facts *f, struct err *e)
{
	int pid = (int)f->pid;
	if (f->pid == getpid())
		return err_set(e, "can't watch pid %d: that is memtop itself", pid);
	if (f->stat.flags & PROC_PF_KTHREAD)
		return err_set(e,
		               "can't watch %s (pid %d): it is a kernel thread and has no memory "
		               "of its own",
		               f->name, pid);
	if (f->stat.state == 'Z' || f->stat.state == 'X') {
		if (f->stat.num_threads > 1 && f->stat.state == 'Z')
			return true; /* the leader is gone, others live on */
		char parent[80];
		name_of(f->stat.ppid, parent, sizeof parent);
		return err_set(
		        e,
		        "can't watch %s (pid %d): it has ended and is a zombie until its parent, "
		        "%s (pid %d), waits for it",
		        f->name, pid, parent, (int)f->stat.ppid);
	}
	if (own_tracer() == f->pid)
		return err_set(e,
		               "can't watch %s (pid %d): it is tracing memtop; both would wait for "
		               "each other",
		               f->name, pid);
	return true;
}

bool refusal_check(pid_t pid, int procfd, struct err *e)
{
	struct facts f = {0};
	if (!gather(pid, procfd, &f))
		return refusal_no_process(pid, e);
	if (!check_state(&f, e))
		return false;
	if (ptrace_is_filtered())
		return err_set(
		        e,
		        "can't watch %s (pid %d): a seccomp filter forbids ptrace to memtop "
		        "itself; in "
		        "a container, add --cap-add=SYS_PTRACE or a seccomp profile that allows it",
		        f.name, (int)pid);
	if (access_is_denied(pid))
		return explain_denied(&f, e);
	if (f.status.tracer != 0 &&
	    f.status.tracer != (uint32_t)getpid()) { /* ours: a command just started */
		char tracer[80];
		name_of((pid_t)f.status.tracer, tracer, sizeof tracer);
		return err_set(e,
		               "can't watch %s (pid %d): it is already traced by %s (pid %u); a "
		               "process can "
		               "have one tracer only, so end that one first",
		               f.name, (int)pid, tracer, (unsigned)f.status.tracer);
	}
	if (is_32bit(procfd))
		return err_set(e,
		               "can't watch %s (pid %d): it is a 32-bit process, and memtop knows "
		               "64-bit ones "
		               "only so far",
		               f.name, (int)pid);
	return true;
}

bool refusal_no_process(pid_t pid, struct err *e)
{
	return err_set(e,
	               "can't watch pid %d: no such process (or one hidden by hidepid= on /proc); "
	               "ps -e lists those that can be seen",
	               (int)pid);
}
