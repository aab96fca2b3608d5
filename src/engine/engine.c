/* SPDX-License-Identifier: MIT */
#include "engine/engine.h"

#include "base/clock.h"
#include "base/mem.h"
#include "engine/out.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

struct engine {
	const struct engine_ops *ops;
	struct engine_impl *impl;
	struct engine_out out;
	pthread_t thread;
	bool running;
};

bool engine_out_wait(struct engine_out *o, uint64_t at)
{
	uint64_t now = clock_ns();
	uint64_t left = at > now ? at - now : 0;
	struct timespec t = {.tv_sec = (time_t)(left / NS_PER_S),
	                     .tv_nsec = (long)(left % NS_PER_S)};
	struct pollfd f = {.fd = o->stop_fd, .events = POLLIN};
	return ppoll(&f, 1, &t, NULL) <= 0;
}

static size_t size_of(const struct engine_message *m)
{
	return m->kind == ENGINE_SAMPLE ? sizeof *m->sample + m->sample->stack_len : 0;
}

bool engine_out_put(struct engine_out *o, const struct engine_message *m)
{
	pthread_mutex_lock(&o->lock);
	size_t size = size_of(m);
	bool full = o->len == ENGINE_QUEUE || o->bytes + size > ENGINE_QUEUE_BYTES;
	if (!full) {
		o->queue[(o->head + o->len++) % ENGINE_QUEUE] = *m;
		o->bytes += size;
		o->stats.samples += m->kind == ENGINE_SAMPLE;
	} else {
		o->stats.lost += m->kind == ENGINE_SAMPLE;
	}
	pthread_mutex_unlock(&o->lock);
	if (full && m->kind == ENGINE_SAMPLE)
		free(m->sample);
	return !full;
}

bool engine_next(struct engine *e, struct engine_message *m)
{
	struct engine_out *o = &e->out;
	pthread_mutex_lock(&o->lock);
	bool any = o->len > 0;
	if (any) {
		*m = o->queue[o->head];
		o->head = (o->head + 1) % ENGINE_QUEUE;
		o->len--;
		o->bytes -= size_of(m);
	}
	pthread_mutex_unlock(&o->lock);
	return any;
}

void engine_want_stack(struct engine *e, uint64_t bytes)
{
	uint64_t want = ENGINE_STACK_MIN;
	while (want < bytes && want < ENGINE_STACK_MAX)
		want *= 2;
	if (want > atomic_load(&e->out.stack))
		atomic_store(&e->out.stack, want);
}

void engine_get_stats(struct engine *e, struct engine_stats *out)
{
	pthread_mutex_lock(&e->out.lock);
	*out = e->out.stats;
	pthread_mutex_unlock(&e->out.lock);
}

static void *run(void *arg)
{
	struct engine *e = arg;
	prctl(PR_SET_NAME, "memtop-engine");
	prctl(PR_SET_TIMERSLACK, 1); /* looks are 0.1 ms apart; the default slack is half of that */
	e->ops->run(e->impl);
	return NULL;
}

/* Signals are for the main thread; SIGCHLD is blocked everywhere and waited for in target/stop.c.
 */
static int start_thread(struct engine *e)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int why = pthread_create(&e->thread, NULL, run, e);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return why;
}

struct engine *engine_start(const struct engine_ops *ops, const struct process *p,
                            const struct engine_config *c, struct err *err)
{
	struct engine *e = mem_alloc(sizeof *e);
	e->ops = ops;
	pthread_mutex_init(&e->out.lock, NULL);
	atomic_init(&e->out.stack, ENGINE_STACK_MIN);
	e->out.stats.interval_ms = c->interval_ms;
	e->out.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (e->out.stop_fd < 0) {
		err_sys(err, errno, "can't start the %s engine: eventfd", ops->name);
		goto fail;
	}
	e->impl = ops->open(p, c, &e->out, err);
	if (!e->impl)
		goto fail;
	int why = start_thread(e);
	if (why) {
		err_sys(err, why, "can't start the %s engine: pthread_create", ops->name);
		goto fail;
	}
	e->running = true;
	return e;
fail:
	engine_free(e);
	return NULL;
}

void engine_stop(struct engine *e)
{
	if (!e->running)
		return;
	const uint64_t one = 1;
	while (write(e->out.stop_fd, &one, sizeof one) < 0 && errno == EINTR)
		;
	pthread_join(e->thread, NULL);
	e->running = false;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	engine_stop(e);
	struct engine_message m;
	while (engine_next(e, &m))
		if (m.kind == ENGINE_SAMPLE)
			free(m.sample);
	if (e->impl)
		e->ops->close(e->impl);
	if (e->out.stop_fd >= 0)
		close(e->out.stop_fd);
	pthread_mutex_destroy(&e->out.lock);
	free(e);
}
