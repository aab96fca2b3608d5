/* SPDX-License-Identifier: MIT */
#include "../module/child.h"

#include "unwind/table.h"
#include "unwind/unwind.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>

#define DEPTH  24
#define FRAMES 128
#define COPY   65536

static const struct unwinder_ops *const both[] = {&unwinder_libdw, &unwinder_libunwind};

/* --- what children run --- */

static int descend(int depth, int says);

/* Called through here it is neither inlined, nor split, nor cloned. */
static int (*volatile enter)(int, int) = descend;

static int descend(int depth, int says)
{
	volatile char local[64];
	local[0] = (char)depth;
	if (depth == 0) {
		child_say(says);
		local[1] = (char)pause(); /* until it is killed; no tail call */
		return local[1];
	}
	int r = enter(depth - 1, says);
	return r + local[0];
}

static void deep(int says, int hears, void *arg)
{
	(void)hears;
	(void)arg;
	enter(DEPTH, says);
}

static int handler_says;

static void on_signal(int sig)
{
	volatile int r = sig;
	r = enter(2, handler_says); /* volatile: no tail call */
	(void)r;
}

static void interrupted(int says, int hears, void *alternate)
{
	(void)hears;
	static char stack[1 << 16];
	struct sigaction sa = {.sa_handler = on_signal};
	if (alternate) {
		sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
		sa.sa_flags = SA_ONSTACK;
	}
	handler_says = says;
	sigaction(SIGUSR1, &sa, NULL);
	kill(getpid(), SIGUSR1);
}

static void *thread_main(void *arg)
{
	enter(3, *(int *)arg);
	return NULL;
}

static pid_t *shared_tid;

static void *thread_outer(void *arg)
{
	*shared_tid = (pid_t)syscall(SYS_gettid);
	return thread_main(arg);
}

static void threaded(int says, int hears, void *arg)
{
	(void)hears;
	(void)arg;
	pthread_t t;
	if (pthread_create(&t, NULL, thread_outer, &says) == 0)
		pthread_join(t, NULL);
}

/* --- helpers --- */

struct walked {
	struct chain *chain[2]; /* libdw's, libunwind's */
};

struct scene {
	struct child child;
	struct unwinder *u[2];
};

static struct scene scene_open(struct child child)
{
	struct scene s = {.child = child};
	struct err e = {""};
	child_open(&s.child);
	for (size_t i = 0; i < 2; i++) {
		s.u[i] = both[i]->open(s.child.modules, s.child.process, &e);
		if (!s.u[i])
			fail_msg("%s", e.text);
	}
	return s;
}

static void scene_close(struct scene *s)
{
	for (size_t i = 0; i < 2; i++)
		both[i]->close(s->u[i]);
	child_end(&s->child);
}

static struct walked walk(struct scene *s, const struct sample *sample, size_t max)
{
	struct walked w;
	for (size_t i = 0; i < 2; i++) {
		w.chain[i] = chain_new(max);
		both[i]->walk(s->u[i], sample, w.chain[i]);
	}
	return w;
}

static void walked_free(struct walked *w)
{
	chain_free(w->chain[0]);
	chain_free(w->chain[1]);
}

static void expect_agreement(const struct walked *w)
{
	const struct chain *a = w->chain[0], *b = w->chain[1];
	assert_int_equal(a->len, b->len);
	for (size_t i = 0; i < a->len; i++) {
		assert_int_equal(a->frames[i].pc, b->frames[i].pc);
		assert_int_equal(a->frames[i].exact, b->frames[i].exact);
	}
	assert_int_equal(a->end, b->end);
	assert_int_equal(a->live, b->live);
}

/* How many frames lie in the function that starts there. */
static size_t frames_in(const struct scene *s, const struct chain *c, uint64_t function)
{
	size_t n = 0;
	GElf_Sym sym;
	GElf_Off offset;
	for (size_t i = 0; i < c->len; i++) {
		uint64_t addr = c->frames[i].pc - !c->frames[i].exact;
		struct module *mod = modules_find(s->child.modules, addr);
		if (mod &&
		    dwfl_module_addrinfo(module_dwfl(mod), addr, &offset, &sym, NULL, NULL, NULL))
			n += addr - offset == function;
	}
	return n;
}

/* --- tests --- */

static void to_the_outermost_frame(void **state)
{
	(void)state;
	struct scene s = scene_open(child_start(deep, NULL));
	struct sample *sample = child_capture(&s.child, s.child.pid, COPY);
	struct walked w = walk(&s, sample, FRAMES);
	expect_agreement(&w);
	const struct chain *c = w.chain[0];
	assert_int_equal(c->end, CHAIN_COMPLETE);
	assert_false(c->live);
	assert_true(c->len > DEPTH);
	assert_int_equal(frames_in(&s, c, (uint64_t)(uintptr_t)&descend), DEPTH + 1);
	assert_int_equal(c->frames[0].pc, sample->regs[SAMPLE_REG_PC]);
	assert_true(c->frames[0].exact);
	for (size_t i = 1; i < c->len; i++)
		assert_false(c->frames[i].exact);
	assert_true(c->stack_wanted > 64 * DEPTH && c->stack_wanted <= sample->stack_len);
	walked_free(&w);
	free(sample);
	scene_close(&s);
}

static void the_cap_cuts(void **state)
{
	(void)state;
	struct scene s = scene_open(child_start(deep, NULL));
	struct sample *sample = child_capture(&s.child, s.child.pid, COPY);
	for (size_t max = 1; max <= DEPTH; max += 7) {
		struct walked w = walk(&s, sample, max);
		expect_agreement(&w);
		assert_int_equal(w.chain[0]->len, max);
		assert_int_equal(w.chain[0]->end, CHAIN_MAX);
		walked_free(&w);
	}
	free(sample);
	scene_close(&s);
}

static void a_short_copy(void **state)
{
	(void)state;
	struct scene s = scene_open(child_start(deep, NULL));
	struct sample *whole = child_capture(&s.child, s.child.pid, COPY);
	struct sample *cut = child_capture(&s.child, s.child.pid, 777);
	struct walked a = walk(&s, whole, FRAMES), b = walk(&s, cut, FRAMES);
	expect_agreement(&b);
	assert_true(b.chain[0]->live); /* the rest came from the running target */
	assert_int_equal(b.chain[0]->len, a.chain[0]->len);
	assert_int_equal(b.chain[0]->end, CHAIN_COMPLETE);
	assert_int_equal(b.chain[0]->stack_wanted, a.chain[0]->stack_wanted);
	walked_free(&b);

	child_kill(&s.child);
	b = walk(&s, cut, FRAMES);
	expect_agreement(&b);
	assert_false(b.chain[0]->live);
	assert_int_equal(b.chain[0]->end, CHAIN_NO_MEMORY);
	assert_true(b.chain[0]->len > 2 && b.chain[0]->len < DEPTH);
	assert_true(b.chain[0]->stack_wanted > 777);
	for (size_t i = 0; i < b.chain[0]->len; i++)
		assert_int_equal(b.chain[0]->frames[i].pc, a.chain[0]->frames[i].pc);
	walked_free(&a);
	walked_free(&b);
	free(whole);
	free(cut);
	scene_close(&s);
}

static void through_a_signal(void **state)
{
	(void)state;
	static char yes;
	void *const alternate[] = {NULL, &yes};
	for (size_t i = 0; i < 2; i++) {
		struct scene s = scene_open(child_start(interrupted, alternate[i]));
		struct sample *sample = child_capture(&s.child, s.child.pid, COPY);
		struct walked w = walk(&s, sample, FRAMES);
		expect_agreement(&w);
		const struct chain *c = w.chain[0];
		size_t exact = 0;
		for (size_t k = 0; k < c->len; k++)
			exact += c->frames[k].exact;
		assert_int_equal(exact, 3); /* the leaf, the trampoline, what was interrupted */
		assert_int_equal(frames_in(&s, c, (uint64_t)(uintptr_t)&on_signal), 1);
		assert_int_equal(frames_in(&s, c, (uint64_t)(uintptr_t)&interrupted), 1);
		assert_int_equal(c->end, CHAIN_COMPLETE);
		walked_free(&w);
		free(sample);
		scene_close(&s);
	}
}

static void of_a_thread(void **state)
{
	(void)state;
	shared_tid = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(shared_tid, MAP_FAILED);
	struct scene s = scene_open(child_start(threaded, NULL));
	struct sample *sample = child_capture(&s.child, *shared_tid, COPY);
	struct walked w = walk(&s, sample, FRAMES);
	expect_agreement(&w);
	assert_int_equal(w.chain[0]->end, CHAIN_COMPLETE);
	assert_int_equal(frames_in(&s, w.chain[0], (uint64_t)(uintptr_t)&descend), 4);
	walked_free(&w);
	free(sample);
	scene_close(&s);
	munmap(shared_tid, 4096);
}

/* --- files without .eh_frame_hdr --- */

static const char *target_path(void)
{
	static char path[4096];
	const char *folder = getenv("MEMTOP_TARGETS");
	snprintf(path, sizeof path, "%s/static_stripped", folder ? folder : "tests/targets");
	return access(path, X_OK) == 0 ? path : NULL;
}

static void exec_static(int says, int hears, void *path)
{
	(void)hears;
	dup2(says, STDOUT_FILENO); /* where it says "ready" */
	execl(path, "static_stripped", "1", "1", (char *)NULL);
	_exit(1);
}

static void a_static_program(void **state)
{
	(void)state;
	const char *path = target_path();
	if (!path)
		skip();
	struct scene s = scene_open(child_start(exec_static, (void *)(uintptr_t)path));
	struct sample *sample = child_capture(&s.child, s.child.pid, COPY);
	struct walked w = walk(&s, sample, FRAMES);
	uint64_t addr, size;
	assert_false(module_eh_frame_hdr(modules_find(s.child.modules, sample->regs[SAMPLE_REG_PC]),
	                                 &addr, &size));
	expect_agreement(&w);
	assert_int_equal(w.chain[1]->end, CHAIN_COMPLETE);
	assert_true(w.chain[1]->len > 4); /* nanosleep, truth_sleep, main, libc's two, _start */
	walked_free(&w);
	free(sample);
	scene_close(&s);
}

struct hdr_entry {
	int32_t code, fde;
};

/* Reads a linker's table, and asks ours for the same. Returns how many entries it has. */
static size_t compare_tables(struct tables *t, struct module *mod)
{
	uint64_t addr, size, fde;
	uint32_t count;
	struct hdr_entry e;
	assert_true(module_eh_frame_hdr(mod, &addr, &size));
	assert_true(module_read(mod, addr + 8, &count, sizeof count));
	for (uint32_t i = 0; i < count; i++) {
		assert_true(module_read(mod, addr + 12 + i * sizeof e, &e, sizeof e));
		assert_true(tables_find(t, mod, addr + (uint64_t)(int64_t)e.code, &fde));
		assert_int_equal(fde, addr + (uint64_t)(int64_t)e.fde);
	}
	return count;
}

static void tables_as_the_linker_made_them(void **state)
{
	(void)state;
	struct scene s = scene_open(child_start(child_idle, NULL));
	struct tables *t = tables_new();
	struct module *libc =
	        modules_find(s.child.modules, (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, "qsort"));
	uint64_t fde;
	assert_true(compare_tables(t, libc) > 1000);
	assert_true(compare_tables(t, modules_find(s.child.modules, (uint64_t)(uintptr_t)&deep)) >
	            10);
	assert_false(tables_find(t, libc, 0, &fde));
	assert_false(tables_find(t, libc, UINT64_MAX, &fde));
	tables_clear(t);
	assert_true(compare_tables(t, libc) > 1000);
	tables_free(t);
	scene_close(&s);
}

static void modules_change(void **state)
{
	(void)state;
	struct scene s = scene_open(child_start(deep, NULL));
	struct sample *sample = child_capture(&s.child, s.child.pid, COPY);
	struct walked a = walk(&s, sample, FRAMES);
	for (size_t i = 0; i < 2; i++)
		both[i]->modules_changed(s.u[i]);
	struct walked b = walk(&s, sample, FRAMES);
	expect_agreement(&b);
	assert_int_equal(a.chain[0]->len, b.chain[0]->len);
	assert_int_equal(b.chain[0]->end, CHAIN_COMPLETE);
	walked_free(&a);
	walked_free(&b);
	free(sample);
	scene_close(&s);
}

/* --- hostile --- */

static uint64_t random_word(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Stacks of which some words are noise, some return addresses and some stack addresses. */
static void garbage_ends(void **state)
{
	(void)state;
	struct scene s = scene_open(child_start(deep, NULL));
	struct sample *sample = child_capture(&s.child, s.child.pid, 4096);
	uint64_t real[512], regs[SAMPLE_REGS], seed = 88172645463325252;
	size_t words = sample->stack_len / 8;
	memcpy(real, sample->stack, words * 8);
	memcpy(regs, sample->regs, sizeof regs);
	for (int round = 0; round < 2000; round++) {
		uint64_t stack[512];
		memcpy(stack, real, sizeof stack);
		for (size_t n = random_word(&seed) % 16; n > 0; n--)
			stack[random_word(&seed) % words] =
			        random_word(&seed) % 3 ? real[random_word(&seed) % words]
			                               : random_word(&seed);
		memcpy(sample->stack, stack, words * 8);
		memcpy(sample->regs, regs, sizeof regs);
		if (round % 4 == 1)
			sample->regs[random_word(&seed) % SAMPLE_REGS] = random_word(&seed);
		if (round % 4 == 2)
			sample->regs[SAMPLE_REG_SP] = UINT64_MAX - random_word(&seed) % 64;
		struct walked w = walk(&s, sample, 32);
		for (size_t i = 0; i < 2; i++)
			assert_true(w.chain[i]->len >= 1 && w.chain[i]->len <= 32);
		walked_free(&w);
	}
	free(sample);
	scene_close(&s);
}

/* A frame that claims to be its own caller: the CFA rises, the pc stays, until the copy ends. And
 * frame pointers in a ring, met in code without unwind information. */
static void rings_end(void **state)
{
	(void)state;
	struct scene s = scene_open(child_start(deep, NULL));
	struct sample *sample = child_capture(&s.child, s.child.pid, 4096);
	uint64_t sp = sample->regs[SAMPLE_REG_SP];
	sample->regs[SAMPLE_REG_PC] = 0x10; /* nowhere */
	sample->regs[6] = sp;
	uint64_t pc = (uint64_t)(uintptr_t)&descend + 1;
	const uint64_t ring[] = {sp, pc, sp, pc};
	memcpy(sample->stack, ring, sizeof ring);
	struct walked w = walk(&s, sample, FRAMES);
	for (size_t i = 0; i < 2; i++) {
		assert_true(w.chain[i]->len <= 4);
		assert_int_equal(w.chain[i]->frames[0].pc, 0x10);
		assert_int_not_equal(w.chain[i]->end, CHAIN_MAX);
	}
	walked_free(&w);
	free(sample);
	scene_close(&s);
}

static void no_stack_at_all(void **state)
{
	(void)state;
	struct scene s = scene_open(child_start(deep, NULL));
	struct sample *sample = child_capture(&s.child, s.child.pid, COPY);
	struct walked w = walk(&s, sample, FRAMES); /* opens the files while there is a process */
	walked_free(&w);
	child_kill(&s.child);
	sample->stack_len = 0;
	w = walk(&s, sample, FRAMES);
	expect_agreement(&w);
	assert_int_equal(w.chain[0]->len, 1);
	assert_int_equal(w.chain[0]->end, CHAIN_NO_MEMORY);
	walked_free(&w);
	free(sample);
	scene_close(&s);
}

static void by_name(void **state)
{
	(void)state;
	assert_ptr_equal(unwinder_by_name("libdw"), &unwinder_libdw);
	assert_ptr_equal(unwinder_by_name("libunwind"), &unwinder_libunwind);
	assert_null(unwinder_by_name("lib"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(to_the_outermost_frame),
	        cmocka_unit_test(the_cap_cuts),
	        cmocka_unit_test(a_short_copy),
	        cmocka_unit_test(through_a_signal),
	        cmocka_unit_test(of_a_thread),
	        cmocka_unit_test(a_static_program),
	        cmocka_unit_test(tables_as_the_linker_made_them),
	        cmocka_unit_test(modules_change),
	        cmocka_unit_test(garbage_ends),
	        cmocka_unit_test(rings_end),
	        cmocka_unit_test(no_stack_at_all),
	        cmocka_unit_test(by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
