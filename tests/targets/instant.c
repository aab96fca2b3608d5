/* SPDX-License-Identifier: MIT */
/* instant [SECONDS [DELAY]]: requests of some ten microseconds, as a fast server has them: receive,
 * parse, store (through one of three functions, which touches a new page now and then, and returns
 * at once), send. Whoever comes 20 us after the page was touched finds the server in a system call.
 */
#define _GNU_SOURCE
#include "truth.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RATE     40.0 /* MB/s over all */
#define REQUESTS 20000.0

TRUTH_FRAME void store_value(const char *data, size_t len);
TRUTH_FRAME void store_index(const char *data, size_t len);
TRUTH_FRAME void store_log(const char *data, size_t len);
TRUTH_FRAME void parse_request(uint64_t ns);

static struct arena arenas[3];
static size_t filled[3]; /* bytes in use; a->used is what was touched */

static void append(int which, const char *data, size_t len)
{
	struct arena *a = &arenas[which];

	if (filled[which] + len > a->size)
		truth_die("arena full");
	memcpy(a->base + filled[which], data, len);
	filled[which] += len;
	while (a->used < filled[which]) {
		a->used += TRUTH_PAGE;
		truth_add(a->id, TRUTH_PAGE);
	}
}

void store_value(const char *data, size_t len)
{
	append(0, data, len);
	TRUTH_KEEP();
}

void store_index(const char *data, size_t len)
{
	append(1, data, len);
	TRUTH_KEEP();
}

void store_log(const char *data, size_t len)
{
	append(2, data, len);
	TRUTH_KEEP();
}

void parse_request(uint64_t ns)
{
	truth_spin_until(truth_now() + ns);
	TRUTH_KEEP();
}

static void serve(int in, int out, size_t len)
{
	static char data[65536];

	if (write(out, data, 64) != 64 || read(in, data, sizeof(data)) != 64)
		truth_die("socket");
	parse_request(5000);
	store_value(data, len * 6 / 10);
	store_index(data, len * 3 / 10);
	store_log(data, len / 10);
	parse_request(3000);
	if (write(in, data, 64) != 64 || read(out, data, sizeof(data)) != 64)
		truth_die("socket");
}

int main(int argc, char **argv)
{
	struct truth_args args = truth_begin(argc, argv);
	size_t len = (size_t)(RATE * 1e6 / REQUESTS);
	uint64_t start, end;
	int ends[2], turns = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		truth_die("no sockets");
	arena_open(&arenas[0], "store_value", arena_room(&args, RATE));
	arena_open(&arenas[1], "store_index", arena_room(&args, RATE));
	arena_open(&arenas[2], "store_log", arena_room(&args, RATE));
	serve(ends[0], ends[1], 0);
	end = truth_ready(&args);
	start = truth_now();
	while (truth_now() < end) {
		serve(ends[0], ends[1], len);
		if (++turns % 20 == 0) /* no faster than that */
			truth_spin_until(start + (uint64_t)((double)turns / REQUESTS * 1e9));
	}
	return truth_end();
}
