/* SPDX-License-Identifier: MIT */
#include "../target/forked.h"

#include "engine/stacks.h"
#include "target/process.h"

struct shared {
	volatile uint64_t rw, ro, none, later, local;
};

static uint64_t map(size_t pages, int protection)
{
	void *p = mmap(NULL, pages * 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		_exit(1);
	return (uint64_t)(uintptr_t)p;
}

/* Mappings with a hole before and after. */
static uint64_t lone(size_t pages, int protection)
{
	uint64_t at = map(pages + 2, protection);
	munmap((void *)(uintptr_t)at, 4096);
	munmap((void *)(uintptr_t)(at + (pages + 1) * 4096), 4096);
	return at + 4096;
}

static void body(int says, int hears, void *arg)
{
	struct shared *s = arg;
	s->rw = lone(4, PROT_READ | PROT_WRITE);
	s->ro = lone(4, PROT_READ);
	s->none = lone(4, PROT_NONE);
	s->local = (uint64_t)(uintptr_t)__builtin_frame_address(0);
	forked_say(says);
	forked_hear(hears);
	s->later = lone(4, PROT_READ | PROT_WRITE);
	forked_sleep(says, hears, NULL);
}

struct fixture {
	struct forked child;
	struct shared *shared;
	struct process *process;
	struct stacks *stacks;
};

static int setup(void **state)
{
	static struct fixture f;
	f = (struct fixture){.shared = forked_shared(sizeof *f.shared)};
	f.child = forked_start(body, f.shared);
	forked_wait_for(&f.child);
	f.process = process_open(f.child.pid, NULL);
	assert_non_null(f.process);
	f.stacks = stacks_new(f.process);
	*state = &f;
	return f.stacks ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	stacks_free(f->stacks);
	process_free(f->process);
	if (f->child.pid) {
		kill(f->child.pid, SIGKILL);
		waitpid(f->child.pid, NULL, 0);
		close(f->child.says);
		close(f->child.hears);
	}
	munmap(f->shared, sizeof *f->shared);
	return 0;
}

static void writable_mappings(void **state)
{
	struct fixture *f = *state;
	uint64_t rw = f->shared->rw, end = rw + 4 * 4096;
	assert_int_equal(stacks_end(f->stacks, rw), end);
	assert_int_equal(stacks_end(f->stacks, rw + 1), end);
	assert_int_equal(stacks_end(f->stacks, end - 1), end);
	assert_int_equal(stacks_end(f->stacks, end), 0);
	assert_int_equal(stacks_end(f->stacks, rw - 1), 0);
}

static void no_stack(void **state)
{
	struct fixture *f = *state;
	const uint64_t odd[] = {0,
	                        1,
	                        f->shared->ro,
	                        f->shared->ro + 5000,
	                        f->shared->none,
	                        (uint64_t)(uintptr_t)body,
	                        UINT64_C(1) << 47,
	                        UINT64_C(0xffffffffff600000),
	                        UINT64_MAX};
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
		assert_int_equal(stacks_end(f->stacks, odd[i]), 0);
}

/* The main stack grows downwards after it was read. */
static void main_stack(void **state)
{
	struct fixture *f = *state;
	uint64_t end = stacks_end(f->stacks, f->shared->local);
	assert_true(end > f->shared->local);
	assert_int_equal(end % 4096, 0);
	assert_int_equal(stacks_end(f->stacks, f->shared->local - (1 << 20)), end);
	assert_int_equal(stacks_end(f->stacks, f->shared->local - (4 << 20)), end);
	assert_int_equal(stacks_end(f->stacks, end), 0);
	assert_int_not_equal(stacks_end(f->stacks, f->shared->local - (UINT64_C(256) << 20)), end);
}

static void new_mappings(void **state)
{
	struct fixture *f = *state;
	forked_go_on(&f->child);
	forked_wait_for(&f->child);
	uint64_t later = f->shared->later, end = 0;
	for (int i = 0; i < 20000 && !end; i++) {
		end = stacks_end(f->stacks, later);
		stacks_refresh(f->stacks);
		usleep(500);
	}
	assert_int_equal(end, later + 4 * 4096);
	assert_int_equal(stacks_end(f->stacks, f->shared->rw), f->shared->rw + 4 * 4096);
}

/* What was known stays known. */
static void ended_process(void **state)
{
	struct fixture *f = *state;
	forked_kill(&f->child);
	assert_int_equal(stacks_end(f->stacks, 1), 0);
	usleep(30000);
	stacks_refresh(f->stacks);
	assert_int_equal(stacks_end(f->stacks, f->shared->rw), f->shared->rw + 4 * 4096);
	struct stacks *none = stacks_new(f->process);
	assert_non_null(none);
	assert_int_equal(stacks_end(none, f->shared->rw), 0);
	stacks_free(none);
	stacks_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(writable_mappings, setup, teardown),
	        cmocka_unit_test_setup_teardown(no_stack, setup, teardown),
	        cmocka_unit_test_setup_teardown(main_stack, setup, teardown),
	        cmocka_unit_test_setup_teardown(new_mappings, setup, teardown),
	        cmocka_unit_test_setup_teardown(ended_process, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
