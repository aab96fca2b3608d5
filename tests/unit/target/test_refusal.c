/* SPDX-License-Identifier: MIT */
#include "forked.h"

#include "target/process.h"
#include "target/refusal.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

/* One line, and every such word in it. */
static void check_text(const char *text, const char *const *words)
{
	assert_null(strchr(text, '\n'));
	assert_memory_equal(text, "can't watch ", 12);
	for (; *words; words++)
		if (!strstr(text, *words))
			fail_msg("\"%s\" does not say \"%s\"", text, *words);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void check_refused(pid_t pid, const char *const *words)
{
	struct err e = {""};
	struct process *p = process_open(pid, &e);
	assert_null(p);
	check_text(e.text, words);
}

/* ---- refused whoever asks ---- */

static void plain_child_is_allowed(void **state)
{
	(void)state;
	struct err e = {"untouched"};
	struct forked c = forked_start(forked_sleep, NULL);
	forked_wait_for(&c);
	struct process *p = process_open(c.pid, &e);
	assert_non_null(p);
	assert_string_equal(e.text, "untouched");
	assert_int_equal(forked_status(c.pid, "TracerPid"), 0);
	forked_await(c.pid, c.pid, 'S');
	process_free(p);
	forked_kill(&c);
}

static void oneself(void **state)
{
	(void)state;
	check_refused(getpid(), WORDS("memtop itself"));
}

static void no_process(void **state)
{
	(void)state;
	struct err e = {""};
	assert_false(refusal_no_process(77, &e));
	check_text(e.text, WORDS("pid 77", "no such process", "hidepid", "ps -e"));
}

static void kernel_thread(void **state)
{
	(void)state;
	struct proc_stat s;
	if (!forked_stat(2, 2, &s) || !(s.flags & PROC_PF_KTHREAD))
		skip(); /* none is seen from a container */
	check_refused(2, WORDS("(pid 2)", "kernel thread"));
}

static void zombie(void **state)
{
	(void)state;
	char parent[64];
	struct forked c = forked_start(forked_sleep, NULL);
	forked_wait_for(&c);
	assert_int_equal(kill(c.pid, SIGKILL), 0);
	forked_await(c.pid, c.pid, 'Z');
	snprintf(parent, sizeof parent, "(pid %d)", (int)getpid());
	check_refused(c.pid, WORDS("zombie", "parent", parent));
	forked_join(&c);
}

static void *sleeping_thread(void *arg)
{
	*(volatile pid_t *)arg = (pid_t)syscall(SYS_gettid);
	for (;;)
		pause();
	return NULL;
}

static void with_thread(int says, int hears, void *arg)
{
	pthread_t t;
	if (pthread_create(&t, NULL, sleeping_thread, arg) != 0)
		_exit(1);
	while (!*(volatile pid_t *)arg)
		usleep(100);
	forked_say(says);
	forked_hear(hears);
	forked_say(says);
	pthread_exit(NULL); /* the leader ends, the other lives on */
}

static void thread_is_no_process(void **state)
{
	(void)state;
	pid_t *tid = forked_shared(sizeof *tid);
	struct forked c = forked_start(with_thread, tid);
	forked_wait_for(&c);
	check_refused(*tid, WORDS("that is a thread", "Tgid"));
	forked_kill(&c);
	munmap(tid, sizeof *tid);
}

static void leader_may_be_gone(void **state)
{
	(void)state;
	struct err e = {""};
	pid_t *tid = forked_shared(sizeof *tid);
	struct forked c = forked_start(with_thread, tid);
	forked_wait_for(&c);
	forked_go_on(&c);
	forked_wait_for(&c);
	forked_await(c.pid, c.pid, 'Z');
	struct process *p = process_open(c.pid, &e);
	if (!p)
		fail_msg("%s", e.text);
	assert_true(process_alive(p));
	process_free(p);
	forked_kill(&c);
	munmap(tid, sizeof *tid);
}

/* ---- tracers ---- */

static void trace_it(int says, int hears, void *arg)
{
	prctl(PR_SET_NAME, "tra\x1b"
	                   "cer");
	if (ptrace(PTRACE_SEIZE, *(pid_t *)arg, NULL, NULL) < 0)
		_exit(2);
	forked_sleep(says, hears, NULL);
}

static void traced_by_another(void **state)
{
	(void)state;
	char who[64];
	struct forked c = forked_start(forked_sleep, NULL);
	forked_wait_for(&c);
	struct forked tracer = forked_start(trace_it, &c.pid);
	forked_wait_for(&tracer);
	snprintf(who, sizeof who, "tra\\x1bcer (pid %d)", (int)tracer.pid);
	check_refused(c.pid, WORDS("already traced by", who));
	forked_kill(&tracer);
	struct process *p = process_open(c.pid, NULL);
	assert_non_null(p);
	process_free(p);
	forked_kill(&c);
}

/* A child asks for its own tracer: the test itself, which traces it. */
static void ask(int says, pid_t pid)
{
	struct err e = {""};
	struct process *p = process_open(pid, &e);
	if (p)
		snprintf(e.text, sizeof e.text, "allowed");
	process_free(p);
	ssize_t n = write(says, e.text, strlen(e.text) + 1);
	_exit(n < 0);
}

static void ask_for_tracer(int says, int hears, void *arg)
{
	forked_hear(hears);
	ask(says, *(pid_t *)arg);
}

static void answer(struct forked *c, char *text, size_t size)
{
	ssize_t n = read(c->says, text, size - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_int_equal(forked_join(c), 0);
}

static void own_tracer(void **state)
{
	(void)state;
	char text[600];
	pid_t self = getpid();
	struct forked c = forked_start(ask_for_tracer, &self);
	if (ptrace(PTRACE_SEIZE, c.pid, NULL, NULL) < 0) {
		kill(c.pid, SIGKILL);
		forked_join(&c);
		skip();
	}
	forked_go_on(&c);
	answer(&c, text, sizeof text);
	check_text(text, WORDS("tracing memtop"));
}

/* ---- refused for what the asker is ---- */

static bool drop_capabilities(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
	return syscall(SYS_capset, &header, none) == 0;
}

static void ask_without_privilege(int says, int hears, void *arg)
{
	(void)hears;
	if (!drop_capabilities())
		_exit(3);
	ask(says, *(pid_t *)arg);
}

static void protect(int says, int hears, void *arg)
{
	prctl(PR_SET_DUMPABLE, 0);
	forked_sleep(says, hears, arg);
}

static int yama(void)
{
	int scope = 0;
	FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	if (f) {
		if (fscanf(f, "%d", &scope) != 1)
			scope = 0;
		fclose(f);
	}
	return scope;
}

static void protected_process(void **state)
{
	(void)state;
	char text[600];
	struct forked c = forked_start(protect, NULL);
	forked_wait_for(&c);
	struct forked asker = forked_start(ask_without_privilege, &c.pid);
	answer(&asker, text, sizeof text);
	if (geteuid() != 0 || yama() == 0) /* an undumpable process's files belong to root */
		check_text(text, WORDS("CAP_SYS_PTRACE", "sudo"));
	if (geteuid() == 0 && yama() == 0)
		check_text(text, WORDS("not dumpable"));
	forked_kill(&c);
}

static void ask_as_nobody(int says, int hears, void *arg)
{
	(void)hears;
	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		_exit(3);
	ask(says, *(pid_t *)arg);
}

static void someone_elses(void **state)
{
	(void)state;
	char text[600];
	if (geteuid() != 0)
		skip();
	struct forked c = forked_start(forked_sleep, NULL);
	forked_wait_for(&c);
	struct forked asker = forked_start(ask_as_nobody, &c.pid);
	answer(&asker, text, sizeof text);
	check_text(text, WORDS("belongs to root", "CAP_SYS_PTRACE", "sudo"));
	forked_kill(&c);
}

static void ask_under_seccomp(int says, int hears, void *arg)
{
	(void)hears;
	struct sock_filter code[] = {
	        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof code / sizeof code[0], code};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(3);
	ask(says, *(pid_t *)arg);
}

static void seccomp_filter(void **state)
{
	(void)state;
	char text[600];
	struct forked c = forked_start(forked_sleep, NULL);
	forked_wait_for(&c);
	struct forked asker = forked_start(ask_under_seccomp, &c.pid);
	answer(&asker, text, sizeof text);
	check_text(text, WORDS("seccomp", "container", "SYS_PTRACE"));
	forked_kill(&c);
}

/* ---- 32-bit code ---- */

/* A whole program: pause(), again and again. */
static const unsigned char tiny[] =
        {
                0x7f, 'E',  'L',  'F',  1,    1, 1, 0, 0, 0,    0,    0,    0,
                0,    0,    0,                         /* ELFCLASS32, little endian */
                2,    0,    3,    0,    1,    0, 0, 0, /* ET_EXEC, EM_386 */
                0x54, 0x80, 0x04, 0x08,                /* entry */
                52,   0,    0,    0,    0,    0, 0, 0, 0, 0,    0,    0, /* program headers at 52 */
                52,   0,    32,   0,    1,    0, 0, 0, 0, 0,    0,    0, /* one of them */
                1,    0,    0,    0,    0,    0, 0, 0, 0, 0x80, 0x04, 0x08, 0,
                0x80, 0x04, 0x08, /* PT_LOAD */
                0x60, 0,    0,    0,    0x60, 0, 0, 0, 5, 0,    0,    0,    0,
                0x10, 0,    0,    0xb8, 29,   0, 0, 0, /* mov $29, %eax: pause */
                0xcd, 0x80,                            /* int $0x80 */
                0xeb, 0xf7,                            /* again */
                0x90, 0x90, 0x90,
};

static void run_tiny(int says, int hears, void *arg)
{
	char *const argv[] = {(char *)(uintptr_t) "tiny", NULL};
	(void)hears;
	forked_say(says);
	fexecve(*(int *)arg, argv, argv + 1);
	_exit(99); /* this kernel doesn't know 32-bit programs */
}

static void other_word_size(void **state)
{
	(void)state;
	int fd = memfd_create("tiny", 0);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, tiny, sizeof tiny), sizeof tiny);
	struct forked c = forked_start(run_tiny, &fd);
	close(fd);
	struct proc_stat s = {0};
	forked_wait_for(&c);
	for (int i = 0; i < 20000 && s.state != 'Z' && !(s.state == 'S' && s.comm[0] != 't'); i++) {
		assert_true(forked_stat(c.pid, c.pid, &s)); /* its comm becomes the descriptor's */
		usleep(500);
	}
	if (s.state == 'Z') {
		int status = forked_join(&c);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 99);
		skip();
	}
	check_refused(c.pid, WORDS("32-bit"));
	forked_kill(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(plain_child_is_allowed),
	        cmocka_unit_test(oneself),
	        cmocka_unit_test(no_process),
	        cmocka_unit_test(kernel_thread),
	        cmocka_unit_test(zombie),
	        cmocka_unit_test(thread_is_no_process),
	        cmocka_unit_test(leader_may_be_gone),
	        cmocka_unit_test(traced_by_another),
	        cmocka_unit_test(own_tracer),
	        cmocka_unit_test(protected_process),
	        cmocka_unit_test(someone_elses),
	        cmocka_unit_test(seccomp_filter),
	        cmocka_unit_test(other_word_size),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
