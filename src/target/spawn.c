/* SPDX-License-Identifier: MIT */
#include "target/spawn.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The child: waits for a byte on go, then becomes the command. Writes errno to fail if it can't. */
static void __attribute__((noreturn))
child(char *const argv[], const sigset_t *mask, int go, int fail)
{
	char byte;
	pthread_sigmask(SIG_SETMASK, mask, NULL);
	if (read(go, &byte, 1) != 1)
		_exit(127); /* memtop has given up */
	execvp(argv[0], argv);
	int why = errno;
	if (write(fail, &why, sizeof why) < 0)
		_exit(126);
	_exit(127);
}

static bool wait_for_exec(pid_t pid, const char *name, int fail, struct err *e)
{
	for (;;) {
		siginfo_t info = {0};
		if (waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED | WNOWAIT) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(e, errno, "can't start %s: waitid", name);
		}
		if (info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED) {
			if (info.si_status == (SIGTRAP | PTRACE_EVENT_EXEC << 8))
				return true;
			int signal = info.si_status >> 8 ? 0 : info.si_status;
			ptrace(PTRACE_CONT, pid, NULL, (void *)(intptr_t)signal);
			continue;
		}
		int why = 0;
		waitid(P_PID, (id_t)pid, &info, WEXITED);
		if (read(fail, &why, sizeof why) == (ssize_t)sizeof why)
			return err_sys(e, why, "can't start %s", name);
		return err_set(e, "can't start %s: it ended before its first instruction", name);
	}
}

static bool seize(pid_t pid, const char *name, struct err *e)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_TRACEEXEC) == 0)
		return true;
	return err_sys(e, errno,
	               "can't watch %s from its start: ptrace (forbidden by a seccomp filter or "
	               "kernel.yama.ptrace_scope 3?)",
	               name);
}

pid_t spawn_start(char *const argv[], const sigset_t *mask, struct err *e)
{
	char name[200];
	text_printable(argv[0], name, sizeof name);
	int go[2] = {-1, -1}, fail[2] = {-1, -1};
	pid_t pid = -1;
	if (pipe2(go, O_CLOEXEC) == 0 && pipe2(fail, O_CLOEXEC) == 0)
		pid = fork();
	if (pid == 0) {
		close(go[1]);
		child(argv, mask, go[0], fail[1]);
	}
	bool ok = pid > 0 || err_sys(e, errno, "can't start %s", name);
	close(go[0]);
	close(fail[1]);
	ok = ok && seize(pid, name, e);
	ok = ok && (write(go[1], "", 1) == 1 || err_sys(e, errno, "can't start %s", name));
	close(go[1]);
	if (ok)
		ok = wait_for_exec(pid, name, fail[0], e);
	else if (pid > 0)
		waitpid(pid, NULL, 0); /* it sees the end of the pipe */
	close(fail[0]);
	return ok ? pid : 0;
}

void spawn_release(pid_t pid)
{
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

/* A traced child is reported stopped even where only WEXITED is asked for (kernel/exit.c). */
static bool has_ended(const siginfo_t *info)
{
	return info->si_pid != 0 && info->si_code != CLD_TRAPPED && info->si_code != CLD_STOPPED;
}

void spawn_end(pid_t pid, int grace_ms)
{
	const struct timespec nap = {.tv_nsec = 10 * 1000 * 1000};
	kill(pid, SIGTERM);
	for (int waited = 0; waited < grace_ms; waited += 10) {
		siginfo_t info = {0};
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    has_ended(&info))
			return;
		nanosleep(&nap, NULL);
	}
	kill(pid, SIGKILL);
}

struct spawn_exit spawn_reap(pid_t pid)
{
	siginfo_t info = {0};
	/* A traced child is reported stopped even where only WEXITED is asked for (kernel/exit.c).
	 */
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0 ||
	    info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED)
		return (struct spawn_exit){0};
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
	bool exited = info.si_code == CLD_EXITED;
	return (struct spawn_exit){
	        .known = true,
	        .status = exited ? info.si_status : 0,
	        .signal = exited ? 0 : info.si_status,
	};
}
