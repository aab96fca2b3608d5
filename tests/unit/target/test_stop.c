/* SPDX-License-Identifier: MIT */
#include "forked.h"

#include "base/rng.h"
#include "proc/maps.h"
#include "proc/read.h"
#include "target/stop.h"

#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#define MAX_STACK (1 << 20)
#define MAGIC     UINT64_C(0x6d656d746f703a29)

struct shared {
	volatile uint64_t counter, signals, sum;
	volatile uint64_t sp;
	volatile pid_t tid;
};

struct fixture {
	struct stopper *stopper;
	struct shared *shared;
	struct forked child;
	sigset_t old;
};

static int setup(void **state)
{
	static struct fixture f;
	sigset_t child;
	f = (struct fixture){0};
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &f.old);
	f.stopper = stopper_new(MAX_STACK);
	f.shared = mmap(NULL, sizeof *f.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	                -1, 0);
	*state = &f;
	return f.stopper && f.shared != MAP_FAILED ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	if (f->child.pid > 0) {
		kill(f->child.pid, SIGKILL);
		waitpid(f->child.pid, NULL, 0);
		close(f->child.says);
		close(f->child.hears);
	}
	stopper_free(f->stopper);
	munmap(f->shared, sizeof *f->shared);
	sigprocmask(SIG_SETMASK, &f->old, NULL);
	return 0;
}

/* ---- children ---- */

#define ROOM 65536 /* bytes of stack above a child's frame: the environment may be small */

static __attribute__((noinline)) void with_room(void (*run)(int, int, void *), int says, int hears,
                                                void *arg)
{
	volatile char room[ROOM];
	for (size_t i = 0; i < ROOM; i += 1024)
		room[i] = 1;
	run(says, hears, arg);
	room[0] = room[1024];
}

static __attribute__((noinline)) void spin_here(int says, int hears, void *arg)
{
	struct shared *s = arg;
	volatile uint64_t magic[4] = {MAGIC, MAGIC + 1, MAGIC + 2, MAGIC + 3};
	(void)hears;
	s->sp = (uint64_t)(uintptr_t)magic;
	forked_say(says);
	for (;;) {
		s->counter += magic[0] == MAGIC;
		s->counter++;
	}
}

static void spin(int says, int hears, void *arg)
{
	with_room(spin_here, says, hears, arg);
}

static struct shared *signalled;

static void on_signal(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	signalled->signals++;
	signalled->sum += (uint64_t)info->si_value.sival_int;
}

static void take_signals(int says, int hears, void *arg)
{
	struct sigaction a = {.sa_flags = SA_SIGINFO};
	signalled = arg;
	a.sa_sigaction = on_signal;
	sigaction(SIGRTMIN, &a, NULL);
	spin(says, hears, arg);
}

static uint64_t no_end(void *arg, uint64_t sp)
{
	(void)arg;
	(void)sp;
	return 0;
}

static uint64_t fixed_end(void *arg, uint64_t sp)
{
	return sp + *(const uint64_t *)arg;
}

static struct stop_request request(const struct forked *c)
{
	return (struct stop_request){
	        .pid = c->pid, .tid = c->pid, .max_stack = MAX_STACK, .stack_end = no_end};
}

/* A busy machine may make a stop late: then it is swept, and tried again. */
static enum stop_result stop_it(struct fixture *f, const struct stop_request *r,
                                struct stop_copy *c)
{
	for (int i = 0; i < 100; i++) {
		enum stop_result result = stopper_stop(f->stopper, r, c);
		if (result != STOP_LATE && result != STOP_BUSY)
			return result;
		usleep(2000);
		stopper_sweep(f->stopper);
	}
	return STOP_LATE;
}

static void check_free(struct fixture *f)
{
	assert_int_equal(forked_status(f->child.pid, "TracerPid"), 0);
	forked_runs(&f->shared->counter);
}

/* ---- tests ---- */

static void copies_registers_and_stack(void **state)
{
	struct fixture *f = *state;
	f->child = forked_start(spin, f->shared);
	forked_wait_for(&f->child);
	uint64_t length = 8192;
	struct stop_request r = request(&f->child);
	r.stack_end = fixed_end;
	r.arg = &length;
	struct stop_copy c = {0};
	uint64_t code = (uint64_t)(uintptr_t)spin_here;
	for (int i = 0; i < 1000; i++) { /* it may still be in its write */
		assert_int_equal(stop_it(f, &r, &c), STOP_DONE);
		if (c.regs[SAMPLE_REG_PC] >= code && c.regs[SAMPLE_REG_PC] < code + 4096)
			break;
		usleep(300); /* stops without a pause could keep it there for good */
	}
	assert_in_range(c.regs[SAMPLE_REG_PC], code, code + 4095);
	uint64_t sp = c.regs[SAMPLE_REG_SP], at = f->shared->sp;
	assert_int_equal(c.stack_len, length);
	assert_true(at + 32 > sp && at < sp + 4096);
	if (at >= sp) {
		static const uint64_t magic[4] = {MAGIC, MAGIC + 1, MAGIC + 2, MAGIC + 3};
		assert_memory_equal(c.stack + (at - sp), magic, sizeof magic);
	}
	assert_true(c.stop_ns > 0);
	assert_true(c.window_ns > 0);
	assert_true(c.halted_ns > 0);
	assert_true(c.halted_ns <= c.window_ns);
	check_free(f);
}

static void copies_as_much_as_asked(void **state)
{
	struct fixture *f = *state;
	f->child = forked_start(spin, f->shared);
	forked_wait_for(&f->child);
	struct stop_request r = request(&f->child);
	struct stop_copy c = {0};
	static const uint64_t lengths[] = {1, 7, 8, 100, 4000, 4096, 5000};
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		uint64_t length = lengths[i];
		r.stack_end = fixed_end;
		r.arg = &length;
		r.max_stack = MAX_STACK;
		assert_int_equal(stop_it(f, &r, &c), STOP_DONE);
		assert_int_equal(c.stack_len, length);
		r.stack_end = no_end;
		r.max_stack = length;
		assert_int_equal(stop_it(f, &r, &c), STOP_DONE);
		assert_int_equal(c.stack_len, length);
	}
	r.max_stack = 0;
	assert_int_equal(stop_it(f, &r, &c), STOP_DONE);
	assert_int_equal(c.stack_len, 0);
	check_free(f);
}

static uint64_t end_of_stack(pid_t pid, uint64_t sp)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	size_t len;
	char *text = proc_slurp(fd, &len);
	close(fd);
	assert_non_null(text);
	struct maps *m = maps_parse(text, len);
	free(text);
	const struct mapping *map = maps_find(m, sp);
	uint64_t end = map ? map->end : 0;
	maps_free(m);
	return end;
}

static void tells_sleepers(void **state)
{
	struct fixture *f = *state;
	struct stop_copy c = {0};
	f->child = forked_start(spin, f->shared);
	forked_wait_for(&f->child);
	forked_await(f->child.pid, f->child.pid, 'R');
	struct stop_request r = request(&f->child);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(stop_it(f, &r, &c), STOP_DONE);
		assert_false(c.asleep);
	}
	forked_kill(&f->child);
	f->child = forked_start(forked_sleep, NULL);
	forked_wait_for(&f->child);
	r = request(&f->child);
	for (int i = 0; i < 50; i++) {
		forked_await(f->child.pid, f->child.pid, 'S');
		assert_int_equal(stop_it(f, &r, &c), STOP_DONE);
		assert_true(c.asleep);
	}
}

/* An end beyond the mapping: what is readable is copied, to the byte. */
static void stops_at_the_end_of_the_mapping(void **state)
{
	struct fixture *f = *state;
	f->child = forked_start(spin, f->shared);
	forked_wait_for(&f->child);
	uint64_t length = MAX_STACK;
	struct stop_request r = request(&f->child);
	struct stop_copy c = {0};
	r.stack_end = fixed_end;
	r.arg = &length;
	assert_int_equal(stop_it(f, &r, &c), STOP_DONE);
	uint64_t left = end_of_stack(f->child.pid, c.regs[SAMPLE_REG_SP]) - c.regs[SAMPLE_REG_SP];
	assert_int_equal(c.stack_len, left < MAX_STACK ? left : MAX_STACK);
	r.max_stack = SIZE_MAX; /* never more than the stopper has room for */
	length = UINT64_C(1) << 40;
	assert_int_equal(stop_it(f, &r, &c), STOP_DONE);
	assert_true(c.stack_len <= MAX_STACK);
	check_free(f);
}

/* A stack pointer may be anything. */
static void odd_sp(int says, int hears, void *arg)
{
	uint64_t sp = ((struct shared *)arg)->sp;
	(void)hears;
	forked_say(says);
	__asm__ volatile("mov %0, %%rsp\n1: pause\n jmp 1b" ::"r"(sp) : "memory");
	__builtin_unreachable();
}

static void odd_stack_pointers(void **state)
{
	struct fixture *f = *state;
	static const uint64_t sps[] = {8,
	                               4095,
	                               UINT64_C(0x7ffffffff000),
	                               UINT64_C(0x00dead0000000000),
	                               UINT64_C(0xffffffffff600000),
	                               UINT64_MAX - 100,
	                               UINT64_MAX};
	for (size_t i = 0; i < sizeof sps / sizeof sps[0]; i++) {
		f->shared->sp = sps[i];
		f->child = forked_start(odd_sp, f->shared);
		forked_wait_for(&f->child);
		struct stop_request r = request(&f->child);
		struct stop_copy c = {0};
		for (int try = 0; try < 1000; try++) {
			assert_int_equal(stop_it(f, &r, &c), STOP_DONE);
			if (c.regs[SAMPLE_REG_SP] == sps[i])
				break;
			usleep(300); /* stops without a pause could keep it in its write for good */
		}
		assert_int_equal(c.regs[SAMPLE_REG_SP], sps[i]);
		assert_int_equal(c.stack_len, 0);
		assert_int_equal(forked_status(f->child.pid, "TracerPid"), 0);
		forked_await(f->child.pid, f->child.pid, 'R');
		forked_kill(&f->child);
	}
}

static void zero_stack_pointer(void **state)
{
	struct fixture *f = *state;
	f->shared->sp = 0;
	f->child = forked_start(odd_sp, f->shared);
	forked_wait_for(&f->child);
	struct stop_request r = request(&f->child);
	struct stop_copy c = {0};
	for (int i = 0; i < 100; i++) {
		stop_it(f, &r, &c); /* whatever it says of it, it lets go */
		assert_int_equal(forked_status(f->child.pid, "TracerPid"), 0);
	}
	forked_await(f->child.pid, f->child.pid, 'R');
}

static void signals_arrive(void **state)
{
	struct fixture *f = *state;
	enum { N = 300 };
	f->child = forked_start(take_signals, f->shared);
	forked_wait_for(&f->child);
	struct stop_request r = request(&f->child);
	struct stop_copy c = {0};
	uint64_t done = 0;
	for (int i = 1; i <= N; i++) {
		union sigval v = {.sival_int = i};
		assert_int_equal(sigqueue(f->child.pid, SIGRTMIN, v), 0);
		done += stop_it(f, &r, &c) == STOP_DONE;
	}
	assert_int_equal(done, N);
	for (int i = 0; i < 20000 && f->shared->signals < N; i++)
		usleep(500);
	assert_int_equal(f->shared->signals, N);
	assert_int_equal(f->shared->sum, N * (N + 1) / 2);
	check_free(f);
}

static void group_stop_stays(void **state)
{
	struct fixture *f = *state;
	f->child = forked_start(spin, f->shared);
	forked_wait_for(&f->child);
	assert_int_equal(kill(f->child.pid, SIGSTOP), 0);
	forked_await(f->child.pid, f->child.pid, 'T');
	struct stop_request r = request(&f->child);
	struct stop_copy c = {0};
	for (int i = 0; i < 20; i++) {
		assert_int_equal(stop_it(f, &r, &c), STOP_DONE);
		assert_int_equal(forked_status(f->child.pid, "TracerPid"), 0);
	}
	forked_await(f->child.pid, f->child.pid, 'T');
	uint64_t was = f->shared->counter;
	usleep(20000);
	assert_int_equal(f->shared->counter, was);
	assert_int_equal(kill(f->child.pid, SIGCONT), 0);
	check_free(f);
}

static void gone(void **state)
{
	struct fixture *f = *state;
	struct forked c = forked_start(forked_sleep, NULL);
	struct stop_request r = request(&c);
	struct stop_copy copy = {0};
	forked_wait_for(&c);
	forked_kill(&c);
	assert_int_equal(stopper_stop(f->stopper, &r, &copy), STOP_GONE);
	r.pid = r.tid = 0;
	assert_int_equal(stopper_stop(f->stopper, &r, &copy), STOP_GONE);
	assert_int_equal(stopper_late(f->stopper), 0);
}

/* A zombie that its parent has not reaped stays the parent's. */
static void zombie_is_left_to_its_parent(void **state)
{
	struct fixture *f = *state;
	struct forked c = forked_start(spin, f->shared);
	struct stop_request r = request(&c);
	struct stop_copy copy = {0};
	forked_wait_for(&c);
	assert_int_equal(kill(c.pid, SIGKILL), 0);
	forked_await(c.pid, c.pid, 'Z');
	enum stop_result result = stopper_stop(f->stopper, &r, &copy);
	assert_true(result == STOP_GONE || result == STOP_DENIED);
	int status = forked_join(&c);
	assert_true(WIFSIGNALED(status));
}

/* It ends while stops go on: the parent, here, still learns how. */
static void end_during_stops(void **state)
{
	struct fixture *f = *state;
	for (int round = 0; round < 30; round++) {
		struct forked c = forked_start(spin, f->shared);
		struct stop_request r = request(&c);
		struct stop_copy copy = {0};
		forked_wait_for(&c);
		assert_int_equal(stop_it(f, &r, &copy), STOP_DONE);
		assert_int_equal(kill(c.pid, SIGTERM), 0);
		enum stop_result result;
		int tries = 0;
		while ((result = stopper_stop(f->stopper, &r, &copy)) != STOP_GONE &&
		       result != STOP_DENIED && tries++ < 1000)
			usleep(100); /* as an engine does: else it may get to nothing else */
		assert_true(tries < 1000);
		int status = forked_join(&c);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGTERM);
	}
	assert_int_equal(stopper_late(f->stopper), 0);
}

static void trace_other(int says, int hears, void *arg)
{
	pid_t pid = *(pid_t *)arg;
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		_exit(2);
	forked_say(says);
	forked_hear(hears);
	ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
	waitpid(pid, NULL, __WALL);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

static void denied_beside_another_tracer(void **state)
{
	struct fixture *f = *state;
	f->child = forked_start(spin, f->shared);
	forked_wait_for(&f->child);
	struct forked tracer = forked_start(trace_other, &f->child.pid);
	forked_wait_for(&tracer);
	struct stop_request r = request(&f->child);
	struct stop_copy c = {0};
	assert_int_equal(stopper_stop(f->stopper, &r, &c), STOP_DENIED);
	assert_int_equal(forked_status(f->child.pid, "TracerPid"), tracer.pid);
	forked_runs(&f->shared->counter);
	forked_go_on(&tracer);
	assert_int_equal(forked_join(&tracer), 0);
	assert_int_equal(stop_it(f, &r, &c), STOP_DONE);
	check_free(f);
}

/* ---- uninterruptible sleep: the parent of a vfork ---- */

static void vfork_child(int hears)
{
	char c;
	alarm(FORKED_LIMIT);
	_exit(read(hears, &c, 1) < 0); /* the end of the test ends it too */
}

static void wait_for_vfork(int says, int hears, void *arg)
{
	struct shared *s = arg;
	if (vfork() == 0)
		vfork_child(hears);
	forked_say(says);
	for (;;)
		s->counter++;
}

static void late(void **state)
{
	struct fixture *f = *state;
	f->child = forked_start(wait_for_vfork, f->shared);
	forked_await(f->child.pid, f->child.pid, 'D');
	struct stop_request r = request(&f->child);
	struct stop_copy c = {0};
	assert_int_equal(stopper_stop(f->stopper, &r, &c), STOP_LATE);
	assert_int_equal(stopper_late(f->stopper), 1);
	assert_int_equal(stopper_stop(f->stopper, &r, &c), STOP_BUSY);
	stopper_sweep(f->stopper);
	assert_int_equal(stopper_late(f->stopper), 1);
	forked_go_on(&f->child);
	for (int i = 0; i < 20000 && stopper_late(f->stopper) > 0; i++) {
		usleep(500);
		stopper_sweep(f->stopper);
	}
	assert_int_equal(stopper_late(f->stopper), 0);
	forked_wait_for(&f->child);
	check_free(f);
	assert_int_equal(stop_it(f, &r, &c), STOP_DONE);
	check_free(f);
}

static void late_and_killed(void **state)
{
	struct fixture *f = *state;
	f->child = forked_start(wait_for_vfork, f->shared);
	forked_await(f->child.pid, f->child.pid, 'D');
	struct stop_request r = request(&f->child);
	struct stop_copy c = {0};
	assert_int_equal(stopper_stop(f->stopper, &r, &c), STOP_LATE);
	assert_int_equal(kill(f->child.pid, SIGKILL), 0);
	forked_await(f->child.pid, f->child.pid, 'Z');
	for (int i = 0; i < 20000 && stopper_late(f->stopper) > 0; i++) {
		stopper_sweep(f->stopper);
		usleep(500);
	}
	assert_int_equal(stopper_late(f->stopper), 0);
	int status = forked_join(&f->child); /* its end is still there for its parent */
	assert_true(WIFSIGNALED(status));
}

/* ---- threads ---- */

static void *spinning_thread(void *arg)
{
	struct shared *s = arg;
	s->tid = (pid_t)syscall(SYS_gettid);
	for (;;)
		s->counter++;
	return NULL;
}

static void with_thread(int says, int hears, void *arg)
{
	struct shared *s = arg;
	pthread_t t;
	if (pthread_create(&t, NULL, spinning_thread, s) != 0)
		_exit(1);
	while (!s->tid)
		usleep(100);
	forked_say(says);
	forked_hear(hears);
	forked_say(says);
	for (;;)
		pause();
}

static void one_thread_alone(void **state)
{
	struct fixture *f = *state;
	f->child = forked_start(with_thread, f->shared);
	forked_wait_for(&f->child);
	pid_t pid = f->child.pid, tid = f->shared->tid;
	assert_int_not_equal(pid, tid);
	forked_await(pid, pid, 'S'); /* the leader reads from its pipe, and goes on reading */
	struct stop_request r = request(&f->child);
	struct stop_copy c = {0};
	r.tid = tid;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(stop_it(f, &r, &c), STOP_DONE);
		assert_true(c.stack_len > 0);
	}
	assert_int_equal(forked_state(pid, pid), 'S');
	forked_go_on(&f->child);
	forked_wait_for(&f->child);
	check_free(f);
}

/* ---- the tracer's sudden death ---- */

static void stop_again_and_again(int says, int hears, void *arg)
{
	pid_t pid = *(pid_t *)arg;
	struct stopper *s = stopper_new(65536);
	struct stop_request r = {.pid = pid, .tid = pid, .max_stack = 65536, .stack_end = no_end};
	struct stop_copy c;
	(void)hears;
	forked_say(says);
	for (;;)
		stopper_stop(s, &r, &c);
}

static void survives_the_tracer(void **state)
{
	struct fixture *f = *state;
	struct rng r = rng_seeded(8);
	f->child = forked_start(take_signals, f->shared);
	forked_wait_for(&f->child);
	for (int round = 1; round <= 40; round++) {
		struct forked tracer = forked_start(stop_again_and_again, &f->child.pid);
		union sigval v = {.sival_int = round};
		forked_wait_for(&tracer);
		usleep((useconds_t)(rng_next(&r) % 2000));
		assert_int_equal(sigqueue(f->child.pid, SIGRTMIN, v), 0);
		usleep((useconds_t)(rng_next(&r) % 200));
		forked_kill(&tracer);
		assert_int_equal(forked_status(f->child.pid, "TracerPid"), 0);
		forked_runs(&f->shared->counter);
	}
	for (int i = 0; i < 20000 && f->shared->signals < 40; i++)
		usleep(500);
	assert_int_equal(f->shared->signals, 40);
	assert_int_equal(f->shared->sum, 40 * 41 / 2);
}

int main(void)
{
#define STOP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        STOP_TEST(copies_registers_and_stack),
	        STOP_TEST(copies_as_much_as_asked),
	        STOP_TEST(tells_sleepers),
	        STOP_TEST(stops_at_the_end_of_the_mapping),
	        STOP_TEST(odd_stack_pointers),
	        STOP_TEST(zero_stack_pointer),
	        STOP_TEST(signals_arrive),
	        STOP_TEST(group_stop_stays),
	        STOP_TEST(gone),
	        STOP_TEST(zombie_is_left_to_its_parent),
	        STOP_TEST(end_during_stops),
	        STOP_TEST(denied_beside_another_tracer),
	        STOP_TEST(late),
	        STOP_TEST(late_and_killed),
	        STOP_TEST(one_thread_alone),
	        STOP_TEST(survives_the_tracer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
