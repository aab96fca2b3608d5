/* SPDX-License-Identifier: MIT */
/*
 * Targets with known truth: programs that know how many bytes became resident through which of
 * their functions, and say so at the end. The protocol:
 *
 *	NAME [SECONDS [DELAY [MORE...]]]
 *
 *	ready PID                        the program is set up; it now waits DELAY seconds (0.5)
 *	                                 (it then grows for SECONDS, and stays for one more second)
 *	truth FUNCTION BYTES             first touches through that function; one line each
 *	truthkind FUNCTION anon|file|shmem      where not all of the growth is anon
 *	truthrange FUNCTION 0xSTART 0xEND       file offsets of its code, where names are stripped
 *	check ok|bad TEXT                the program compared what it counted with the kernel's view
 *
 * and exit status 0, or 3 if the check was bad. "Through a function" means that it is the
 * innermost one on the call stack that has a truth line; what it calls (memset, malloc, the vdso)
 *counts for it. Memory is kept until the end, unless a program says otherwise, and every function
 *that grows has bytes of its own. Nothing is touched during the delay.
 *
 * Every program ends by itself: it dies with its parent (unless TRUTH_ORPHAN is set), and after
 * SECONDS + DELAY + 30 s in any case. Transparent huge pages are switched off for it, so that one
 * first touch is one page wherever it runs. With TRUTH_PROTECTED set it is not dumpable, so that
 *only the privileged may look into it.
 */
#ifndef TESTS_TARGETS_TRUTH_H
#define TESTS_TARGETS_TRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TRUTH_PAGE 4096u
#define TRUTH_MS   UINT64_C(1000000) /* in ns */
#define TRUTH_SEC  UINT64_C(1000000000)
#define TRUTH_MAX  16 /* functions */

/* A function that must stay a frame of its own, under its own name. */
#if defined(__GNUC__) && !defined(__clang__)
#define TRUTH_FRAME __attribute__((noipa))
#else
#define TRUTH_FRAME __attribute__((noinline))
#endif

/* After a call, keeps it from becoming a jump. */
#define TRUTH_KEEP() __asm__ volatile("" ::: "memory")

struct truth_args {
	uint64_t grow_ns, delay_ns;
	int argc; /* what follows DELAY */
	char **argv;
};

/* Reads SECONDS and DELAY and bounds the program's life. */
struct truth_args truth_begin(int argc, char **argv);
/* A whole number among the further arguments, or fallback where there is none. */
long truth_number(const struct truth_args *a, int i, long fallback);
/* A text among the further arguments, or fallback. */
const char *truth_text(const struct truth_args *a, int i, const char *fallback);
/* Says "ready", waits the delay; returns when the growing shall end. */
uint64_t truth_ready(const struct truth_args *a);
/* Stays one second, says the truth, checks it; returns the exit status. */
int truth_end(void);
/* The same without the second, and without looking at RSS. */
int truth_end_now(void);
/* "program: text" on stderr, exit status 1. */
void truth_die(const char *text) __attribute__((noreturn));

uint64_t truth_now(void); /* CLOCK_MONOTONIC, ns */
void truth_sleep(uint64_t ns);
/* Computes until then; touches nothing new. */
void truth_spin_until(uint64_t when_ns);

/* A function that grows by other means than an arena. The name is what a stack shows. */
int truth_function(const char *name);
void truth_add(int id, uint64_t bytes);
/* Bytes that page faults of this thread made resident so far, for the parts that cannot count their
 * pages: take the difference around a call. True where nothing is file-backed and nothing huge. */
uint64_t truth_faulted(void);
uint64_t truth_resident(const void *base, size_t len); /* by /proc/self/pagemap */

/* Mapped and untouched memory that belongs to one function. */
struct arena {
	unsigned char *base;
	size_t size, used;
	int id;
};

void arena_open(struct arena *a, const char *function, uint64_t bytes);
/* Touches the next pages, spread over busy_ns, computing in between. Safe in signal handlers. */
void arena_grow(struct arena *a, size_t pages, uint64_t busy_ns);
/* Pages that make a rate (MB/s) if touched once every period. */
size_t arena_pages(double mb_per_s, uint64_t period_ns);
/* Room for a rate over the whole run, with a margin. */
uint64_t arena_room(const struct truth_args *a, double mb_per_s);

#ifdef __cplusplus
}
#endif

#endif
