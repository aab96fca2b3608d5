/* SPDX-License-Identifier: MIT */
/* tracer PID SECONDS: attaches to PID as a debugger does, prints "tracing PID", and holds on to it
 * for that time. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* Lets the tracee have its signals. */
static void pass_on(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, WNOHANG) == pid)
		if (WIFSTOPPED(status))
			ptrace(PTRACE_CONT, pid, 0, status >> 16 ? 0L : (long)WSTOPSIG(status));
}

int main(int argc, char **argv)
{
	pid_t pid;

	if (argc != 3) {
		fprintf(stderr, "tracer PID SECONDS\n");
		return 2;
	}
	pid = (pid_t)atoi(argv[1]);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) != 0) {
		fprintf(stderr, "tracer: %s\n", strerror(errno));
		return 1;
	}
	printf("tracing %d\n", (int)pid);
	fflush(stdout);
	for (long left = atol(argv[2]) * 200; left > 0; left--) {
		pass_on(pid);
		usleep(5000);
	}
	return 0;
}
