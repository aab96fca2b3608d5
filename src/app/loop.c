/* SPDX-License-Identifier: MIT */
#include "app/loop.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct loop {
	int epoll, signals;
	sigset_t mask;
};

static bool add(struct loop *l, int fd, struct err *e)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) == 0 || err_sys(e, errno, "epoll_ctl");
}

struct loop *loop_new(struct err *e)
{
	struct loop *l = mem_alloc(sizeof *l);
	sigset_t quit, blocked;
	sigemptyset(&quit);
	sigaddset(&quit, SIGINT);
	sigaddset(&quit, SIGTERM);
	sigaddset(&quit, SIGHUP);
	sigaddset(&quit, SIGQUIT);
	blocked = quit;
	sigaddset(&blocked, SIGCHLD);
	sigaddset(&blocked, SIGPIPE); /* a closed stdout is an error of write(2) */
	pthread_sigmask(SIG_BLOCK, &blocked, &l->mask);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->signals = signalfd(-1, &quit, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l->epoll < 0 || l->signals < 0)
		err_sys(e, errno, "can't wait for events");
	else if (add(l, l->signals, e))
		return l;
	loop_free(l);
	return NULL;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	if (l->epoll >= 0)
		close(l->epoll);
	if (l->signals >= 0)
		close(l->signals);
	pthread_sigmask(SIG_SETMASK, &l->mask, NULL);
	free(l);
}

const sigset_t *loop_original_mask(const struct loop *l)
{
	return &l->mask;
}

bool loop_watch_exit(struct loop *l, int pidfd, struct err *e)
{
	return add(l, pidfd, e);
}

/* A terminal's Ctrl-C comes from the kernel, kill(1)'s from a process. */
static bool asks_to_quit(struct loop *l, bool shared_terminal)
{
	struct signalfd_siginfo s;
	bool quit = false;
	while (read(l->signals, &s, sizeof s) == (ssize_t)sizeof s) {
		bool from_terminal = s.ssi_code == SI_KERNEL &&
		                     (s.ssi_signo == SIGINT || s.ssi_signo == SIGQUIT);
		quit = quit || !(shared_terminal && from_terminal);
	}
	return quit;
}

enum loop_event loop_wait(struct loop *l, uint64_t until, bool shared_terminal)
{
	for (;;) {
		uint64_t now = clock_ns();
		int timeout = until <= now ? 0 : (int)((until - now + NS_PER_MS - 1) / NS_PER_MS);
		struct epoll_event ev;
		int n = epoll_wait(l->epoll, &ev, 1, timeout);
		if (n == 0)
			return LOOP_TIME;
		if (n < 0)
			continue;
		if (ev.data.fd != l->signals) {
			/* a pidfd stays readable: it has said its word */
			epoll_ctl(l->epoll, EPOLL_CTL_DEL, ev.data.fd, NULL);
			return LOOP_EXIT;
		}
		if (asks_to_quit(l, shared_terminal))
			return LOOP_QUIT;
	}
}
