/* SPDX-License-Identifier: MIT */
/*
 * orders [SECONDS]: a small service for demonstrations. Four threads take requests from a queue,
 * parse them, look up the customer's session, price the order, and answer; it ends by itself after
 * SECONDS (60). Its memory grows by 5 to 15 MB/s:
 *
 *	session_open    never forgotten: the leak
 *	recent_put      the last 4096 orders: grows at first, then stays as it is
 *	parse, render   buffers of one request, given back: no growth to speak of
 *	journal_append  a record of each order, kept: growth that is meant to be
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define WORKERS       4
#define QUEUE         256
#define RECENT        4096
#define BUCKETS       65536
#define JOURNAL_BLOCK (256u * 1024)
#define HISTORY       300 /* items */
#define PER_SECOND    260
#define LONGEST       100000 /* seconds */

struct request {
	char text[512];
};

struct order {
	uint64_t customer;
	unsigned items;
	double total;
	char note[160];
};

struct item {
	uint64_t article, price;
	char name[112];
};

struct session {
	struct session *next;
	uint64_t customer;
	unsigned visits;
	struct item history[HISTORY];
};

struct block {
	struct block *next;
	size_t used;
	char text[JOURNAL_BLOCK];
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more, room;
	struct request ring[QUEUE];
	unsigned head, len;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .more = PTHREAD_COND_INITIALIZER,
           .room = PTHREAD_COND_INITIALIZER};

static pthread_mutex_t sessions_lock = PTHREAD_MUTEX_INITIALIZER;
static struct session *sessions[BUCKETS];
static pthread_mutex_t recent_lock = PTHREAD_MUTEX_INITIALIZER;
static struct order *recent[RECENT];
static unsigned recent_next;
static pthread_mutex_t journal_lock = PTHREAD_MUTEX_INITIALIZER;
static struct block *journal;
static atomic_bool over;
static atomic_uint answered;

static void *need(void *p)
{
	if (p == NULL) {
		fprintf(stderr, "orders: out of memory\n");
		exit(1);
	}
	return p;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t scramble(uint64_t x)
{
	x ^= x >> 31;
	x *= UINT64_C(0x9e3779b97f4a7c15);
	x ^= x >> 29;
	return x;
}

/* ---- sessions: one for each customer who ever came ---- */

/* What a data base would answer. */
static void load_item(struct item *item, uint64_t customer, unsigned i)
{
	uint64_t x = scramble(customer * HISTORY + i);

	for (int round = 0; round < 600; round++)
		x = scramble(x + (uint64_t)round);
	item->article = x % 100000;
	item->price = x % 9973;
	snprintf(item->name, sizeof(item->name), "article %llu, in the colour %llu",
	         (unsigned long long)item->article, (unsigned long long)(x >> 60));
}

static struct session *session_open(uint64_t customer)
{
	struct session *s = need(malloc(sizeof(*s)));

	s->customer = customer;
	s->visits = 0;
	for (unsigned i = 0; i < HISTORY; i++)
		load_item(&s->history[i], customer, i);
	s->next = sessions[customer % BUCKETS];
	sessions[customer % BUCKETS] = s; /* nobody ever takes it out again */
	return s;
}

static struct session *session_find(uint64_t customer)
{
	struct session *s = sessions[customer % BUCKETS];

	while (s != NULL && s->customer != customer)
		s = s->next;
	return s != NULL ? s : session_open(customer);
}

static unsigned session_visit(uint64_t customer)
{
	unsigned visits;

	pthread_mutex_lock(&sessions_lock);
	visits = ++session_find(customer)->visits;
	pthread_mutex_unlock(&sessions_lock);
	return visits;
}

/* ---- a cache with an end ---- */

static void recent_put(const struct order *o)
{
	struct order *copy = need(malloc(sizeof(*copy)));

	*copy = *o;
	pthread_mutex_lock(&recent_lock);
	free(recent[recent_next]);
	recent[recent_next] = copy;
	recent_next = (recent_next + 1) % RECENT;
	pthread_mutex_unlock(&recent_lock);
}

/* ---- the journal ---- */

static void journal_append(const struct order *o, const char *answer)
{
	char line[640];
	int len = snprintf(line, sizeof(line), "%llu %u %.2f %s %.300s\n",
	                   (unsigned long long)o->customer, o->items, o->total, o->note, answer);
	size_t n = len > 0 ? (size_t)len : 0;

	if (n >= sizeof(line))
		n = sizeof(line) - 1;
	pthread_mutex_lock(&journal_lock);
	if (journal == NULL || journal->used + n > JOURNAL_BLOCK) {
		struct block *b = need(malloc(sizeof(*b)));

		b->used = 0;
		b->next = journal;
		journal = b;
	}
	memcpy(journal->text + journal->used, line, n);
	journal->used += n;
	pthread_mutex_unlock(&journal_lock);
}

/* ---- requests ---- */

static bool parse(const struct request *r, struct order *o)
{
	char *copy = need(strdup(r->text)), *save = NULL;
	unsigned fields = 0;

	memset(o, 0, sizeof(*o));
	for (char *f = strtok_r(copy, "&", &save); f != NULL; f = strtok_r(NULL, "&", &save)) {
		char *value = strchr(f, '=');

		if (value == NULL)
			continue;
		*value++ = '\0';
		fields++;
		if (strcmp(f, "customer") == 0)
			o->customer = strtoull(value, NULL, 10);
		else if (strcmp(f, "items") == 0)
			o->items = (unsigned)strtoul(value, NULL, 10);
		else if (strcmp(f, "note") == 0)
			snprintf(o->note, sizeof(o->note), "%s", value);
	}
	free(copy);
	return fields >= 3;
}

static void price(struct order *o)
{
	uint64_t x = o->customer + 1;

	for (unsigned i = 0; i < o->items * 4000; i++)
		x = scramble(x + i);
	o->total = (double)(x % 100000) / 100 * o->items;
}

static char *render(const struct order *o, unsigned visits)
{
	char *page = need(malloc(16384));
	size_t at = 0;

	for (unsigned i = 0; i < o->items && at < 16000; i++)
		at += (size_t)snprintf(page + at, 16384 - at,
		                       "<li>item %u for customer %llu, visit %u</li>\n", i,
		                       (unsigned long long)o->customer, visits);
	return page;
}

static void serve(const struct request *r)
{
	struct order o;
	char *page;

	if (!parse(r, &o))
		return;
	price(&o);
	page = render(&o, session_visit(o.customer));
	recent_put(&o);
	journal_append(&o, page);
	free(page);
	atomic_fetch_add(&answered, 1);
}

static bool take(struct request *r)
{
	bool got;

	pthread_mutex_lock(&queue.lock);
	while (queue.len == 0 && !atomic_load(&over))
		pthread_cond_wait(&queue.more, &queue.lock);
	got = queue.len > 0;
	if (got) {
		*r = queue.ring[queue.head];
		queue.head = (queue.head + 1) % QUEUE;
		queue.len--;
		pthread_cond_signal(&queue.room);
	}
	pthread_mutex_unlock(&queue.lock);
	return got;
}

static void *worker(void *unused)
{
	struct request r;

	(void)unused;
	prctl(PR_SET_NAME, "worker");
	while (take(&r))
		serve(&r);
	return NULL;
}

/* ---- customers, who come in crowds ---- */

static void write_request(struct request *r, uint64_t n)
{
	/* Three of four are new ones. */
	uint64_t who = n % 4 == 0 ? scramble(n) % 1000 : 1000 + n;

	snprintf(r->text, sizeof(r->text), "customer=%llu&items=%u&note=%s",
	         (unsigned long long)who, (unsigned)(5 + scramble(n) % 40),
	         "leave it with the neighbours, please, but not with the ones upstairs");
}

static void put(uint64_t n)
{
	pthread_mutex_lock(&queue.lock);
	while (queue.len == QUEUE)
		pthread_cond_wait(&queue.room, &queue.lock);
	write_request(&queue.ring[(queue.head + queue.len) % QUEUE], n);
	queue.len++;
	pthread_cond_signal(&queue.more);
	pthread_mutex_unlock(&queue.lock);
}

static void send_requests(uint64_t end)
{
	uint64_t start = now_ns(), sent = 0;

	for (uint64_t now = start; now < end; now = now_ns()) {
		uint64_t due = (now - start) / 1000 * PER_SECOND / 1000000;

		while (sent < due)
			put(sent++);
		usleep((useconds_t)(4000 + scramble(now) % 12000));
	}
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 60;
	pthread_t threads[WORKERS];

	if (!(seconds > 0 && seconds <= LONGEST)) {
		fprintf(stderr, "orders [SECONDS]\n");
		return 2;
	}
	alarm((unsigned)seconds + 10); /* in any case */
	for (int i = 0; i < WORKERS; i++)
		if (pthread_create(&threads[i], NULL, worker, NULL) != 0)
			return 1;
	printf("orders: ready, PID %d, for %g seconds\n", (int)getpid(), seconds);
	fflush(stdout);
	send_requests(now_ns() + (uint64_t)(seconds * 1e9));
	pthread_mutex_lock(&queue.lock);
	atomic_store(&over, true);
	pthread_cond_broadcast(&queue.more);
	pthread_mutex_unlock(&queue.lock);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
