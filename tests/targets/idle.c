/* SPDX-License-Identifier: MIT */
/* idle [SECONDS [DELAY]]: threads asleep in system calls that a stop would end with EINTR; it
 * touches nothing. Prints "idle eintr N" for how often one of them was interrupted. */
#define _GNU_SOURCE
#include "truth.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define THREADS 6
#define LONG    3600 /* seconds: nobody wakes by itself */

static atomic_int eintr;
static atomic_bool over;
static int epoll_fd, event_fd, sockets[2];

static void count(long result)
{
	if (result < 0 && errno == EINTR)
		atomic_fetch_add(&eintr, 1);
}

static void *in_epoll(void *timeout_ms)
{
	struct epoll_event ev;

	while (!atomic_load(&over))
		count(epoll_wait(epoll_fd, &ev, 1, (int)(intptr_t)timeout_ms));
	return NULL;
}

static void *in_sigtimedwait(void *unused)
{
	struct timespec limit = {LONG, 0};
	sigset_t set;

	(void)unused;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	while (!atomic_load(&over))
		count(sigtimedwait(&set, NULL, &limit));
	return NULL;
}

static void *in_recv(void *unused)
{
	char c;

	(void)unused;
	while (!atomic_load(&over))
		count(recv(sockets[0], &c, 1, 0));
	return NULL;
}

static void open_all(void)
{
	struct timeval limit = {LONG, 0};
	struct epoll_event ev = {.events = EPOLLIN};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	event_fd = eventfd(0, EFD_CLOEXEC);
	if (epoll_fd < 0 || event_fd < 0 ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event_fd, &ev) != 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0 ||
	    setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0)
		truth_die("setup failed");
}

static void wake_all(const pthread_t *threads)
{
	const uint64_t one = 1;

	atomic_store(&over, true);
	pthread_kill(threads[4], SIGUSR1);
	if (write(event_fd, &one, sizeof(one)) < 0 || shutdown(sockets[1], SHUT_RDWR) != 0)
		truth_die("cannot wake the threads");
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	struct truth_args args = truth_begin(argc, argv);
	pthread_t threads[THREADS];
	struct timespec when;
	int bad = 0, interrupted;

	open_all();
	for (int i = 0; i < 4; i++) {
		void *timeout_ms = (void *)(intptr_t)(i % 2 ? -1 : LONG * 1000);

		bad |= pthread_create(&threads[i], NULL, in_epoll, timeout_ms);
	}
	bad |= pthread_create(&threads[4], NULL, in_sigtimedwait, NULL);
	bad |= pthread_create(&threads[5], NULL, in_recv, NULL);
	if (bad != 0)
		truth_die("no thread");
	truth_ready(&args);
	clock_gettime(CLOCK_MONOTONIC, &when);
	when.tv_sec += (time_t)(args.grow_ns / TRUTH_SEC);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
		atomic_fetch_add(&eintr, 1);
	interrupted = atomic_load(&eintr);
	wake_all(threads);
	printf("idle eintr %d\n", interrupted);
	return 0;
}
