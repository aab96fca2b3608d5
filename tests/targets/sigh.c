/* SPDX-License-Identifier: MIT */
/* sigh [SECONDS [DELAY [altstack]]]: SIGALRM comes 100 times a second, and its handler grows for
 * 3 ms; the main loop grows as well, and is interrupted by it. */
#define _GNU_SOURCE
#include "truth.h"

#include <signal.h>
#include <string.h>
#include <sys/time.h>

#define HANDLER 24.0 /* MB/s */
#define LOOP    18.0

static struct arena handler, loop;
static size_t handler_pages;
static char alternate[64 * 1024];

TRUTH_FRAME void grow_in_handler(size_t pages, uint64_t ns);
TRUTH_FRAME void grow_in_loop(size_t pages, uint64_t ns);
void on_alarm(int sig);

void grow_in_handler(size_t pages, uint64_t ns)
{
	arena_grow(&handler, pages, ns);
	TRUTH_KEEP();
}

void grow_in_loop(size_t pages, uint64_t ns)
{
	arena_grow(&loop, pages, ns);
	TRUTH_KEEP();
}

void on_alarm(int sig)
{
	(void)sig;
	grow_in_handler(handler_pages, 3 * TRUTH_MS);
	TRUTH_KEEP();
}

static void set_timer(long us)
{
	struct itimerval it = {{0, us}, {0, us}};

	setitimer(ITIMER_REAL, &it, NULL);
}

static void set_handler(bool altstack)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_alarm;
	sa.sa_flags = SA_RESTART;
	if (altstack) {
		stack_t ss = {.ss_sp = alternate, .ss_size = sizeof(alternate)};

		memset(alternate, 1, sizeof(alternate));
		sigaltstack(&ss, NULL);
		sa.sa_flags |= SA_ONSTACK;
	}
	sigaction(SIGALRM, &sa, NULL);
}

int main(int argc, char **argv)
{
	struct truth_args args = truth_begin(argc, argv);
	size_t loop_pages = arena_pages(LOOP, 8 * TRUTH_MS);
	uint64_t end;

	handler_pages = arena_pages(HANDLER, 10 * TRUTH_MS);
	arena_open(&handler, "grow_in_handler", arena_room(&args, HANDLER));
	arena_open(&loop, "grow_in_loop", arena_room(&args, LOOP));
	set_handler(strcmp(truth_text(&args, 0, ""), "altstack") == 0);
	end = truth_ready(&args);
	set_timer(10000);
	while (truth_now() < end) {
		grow_in_loop(loop_pages, 5 * TRUTH_MS);
		truth_sleep(3 * TRUTH_MS);
	}
	set_timer(0);
	return truth_end();
}
