/* SPDX-License-Identifier: MIT */
/* ledger [SECONDS [DELAY [PER_SECOND]]]: a forked child sends PER_SECOND (1000) real-time signals a
 *second, numbered from 1; the parent counts them in the thread that grows (and lets go, every 64
 *MB), while another one grows as well; both check what they wrote. In the end:
 *
 *	ledger received N lost M disorder K memory ok|bad
 *
 * SIGTERM ends it early, in good order.
 */
#define _GNU_SOURCE
#include "truth.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOOK (64u << 20) /* bytes before a thread starts over */

TRUTH_FRAME void grow_book(uint64_t *page, uint64_t seed);

static volatile sig_atomic_t received, expected = 1, lost, disorder, all_sent;
static atomic_bool over, memory_bad;
static atomic_bool *enough; /* shared with the child: SIGTERM ends the series early */
static uint64_t limit;      /* when the main thread waits no longer for the end of the series */

static void on_number(int sig, siginfo_t *info, void *context)
{
	int number = info->si_value.sival_int;

	(void)sig;
	(void)context;
	if (number <= 0) { /* minus the count of them all: so a lost tail is noticed as well */
		lost += 1 - number - expected;
		all_sent = 1;
		return;
	}
	received++;
	if (number < expected) {
		disorder++;
		return;
	}
	lost += number - expected;
	expected = number + 1;
}

static void on_term(int sig)
{
	(void)sig;
	atomic_store(enough, true);
}

/* The queue may be full for a while. */
static void send_one(pid_t to, int number)
{
	union sigval value = {.sival_int = number};

	while (sigqueue(to, SIGRTMIN, value) != 0) {
		if (errno != EAGAIN)
			_exit(1);
		truth_sleep(TRUTH_MS);
	}
}

static void sender(pid_t to, uint64_t start, uint64_t end, uint64_t per_second)
{
	int number = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != to)
		_exit(1);
	while (truth_now() < start)
		truth_sleep(TRUTH_MS);
	for (uint64_t now = start; now < end && !atomic_load(enough); now = truth_now()) {
		uint64_t due = (now - start) * per_second / TRUTH_SEC;

		while ((uint64_t)number < due)
			send_one(to, ++number);
		truth_sleep(TRUTH_MS);
	}
	send_one(to, -number);
	_exit(0);
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	return x | 1;
}

void grow_book(uint64_t *page, uint64_t seed)
{
	for (size_t i = 0; i < TRUTH_PAGE / sizeof(*page); i++)
		page[i] = seed = mix(seed + i);
	TRUTH_KEEP();
}

static bool page_ok(const uint64_t *page, uint64_t seed)
{
	for (size_t i = 0; i < TRUTH_PAGE / sizeof(*page); i++) {
		seed = mix(seed + i);
		if (page[i] != seed)
			return false;
	}
	return true;
}

static void check_book(const unsigned char *book, size_t used)
{
	for (size_t at = 0; at < used; at += TRUTH_PAGE)
		if (!page_ok((const uint64_t *)(const void *)(book + at), at + 7))
			atomic_store(&memory_bad, true);
}

static bool go_on(void *main_thread)
{
	return main_thread != NULL ? !all_sent && truth_now() < limit : !atomic_load(&over);
}

static void *keep_books(void *main_thread)
{
	unsigned char *book = mmap(NULL, BOOK, PROT_READ | PROT_WRITE,
	                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t used = 0;

	if (book == MAP_FAILED)
		truth_die("no address space");
	while (go_on(main_thread)) {
		for (int i = 0; i < 20; i++, used += TRUTH_PAGE) {
			grow_book((uint64_t *)(void *)(book + used), used + 7);
			truth_spin_until(truth_now() + TRUTH_MS / 20);
		}
		if (used + 20 * TRUTH_PAGE > BOOK) {
			check_book(book, used);
			madvise(book, BOOK, MADV_DONTNEED);
			used = 0;
		}
		truth_sleep(4 * TRUTH_MS);
	}
	check_book(book, used);
	return NULL;
}

static pid_t start_sender(const struct truth_args *a, uint64_t per_second)
{
	pid_t me = getpid(), child = fork();
	uint64_t start = truth_now() + a->delay_ns;

	if (child < 0)
		truth_die("no child");
	if (child == 0)
		sender(me, start, start + a->grow_ns, per_second);
	return child;
}

int main(int argc, char **argv)
{
	struct truth_args args = truth_begin(argc, argv);
	uint64_t per_second = (uint64_t)truth_number(&args, 0, 1000);
	struct sigaction sa;
	pthread_t other;
	sigset_t set;
	pid_t child;

	enough = mmap(NULL, TRUTH_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (enough == MAP_FAILED)
		truth_die("no shared page");
	signal(SIGTERM, on_term);
	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = on_number;
	sa.sa_flags = SA_SIGINFO | SA_RESTART;
	sigaction(SIGRTMIN, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	child = start_sender(&args, per_second);
	limit = truth_ready(&args) + 10 * TRUTH_SEC;
	pthread_sigmask(SIG_BLOCK, &set, NULL); /* the other thread gets none of them */
	if (pthread_create(&other, NULL, keep_books, NULL) != 0)
		truth_die("no thread");
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	keep_books(&args);
	atomic_store(&over, true);
	pthread_join(other, NULL);
	waitpid(child, NULL, 0);
	if (!all_sent)
		lost++;
	printf("ledger received %d lost %d disorder %d memory %s\n", (int)received, (int)lost,
	       (int)disorder, atomic_load(&memory_bad) ? "bad" : "ok");
	return 0;
}
