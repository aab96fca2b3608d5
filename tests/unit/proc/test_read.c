/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proc/read.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int memory_file(const char *text, size_t len)
{
	int fd = memfd_create("text", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void reads_from_the_beginning(void **state)
{
	(void)state;
	char buf[16];
	int fd = memory_file("hello", 5);
	for (int i = 0; i < 3; i++) {
		memset(buf, 0x5a, sizeof buf);
		assert_int_equal(proc_read(fd, buf, sizeof buf), 5);
		assert_string_equal(buf, "hello");
	}
	close(fd);
}

static void cuts_what_does_not_fit(void **state)
{
	(void)state;
	char buf[8];
	int fd = memory_file("0123456789", 10);
	for (size_t size = 1; size <= 6; size++) {
		memset(buf, 0x5a, sizeof buf);
		assert_int_equal(proc_read(fd, buf, size), size - 1);
		assert_int_equal(strlen(buf), size - 1);
		assert_int_equal(buf[size], 0x5a);
	}
	close(fd);
}

static void errors(void **state)
{
	(void)state;
	char buf[8] = "x";
	errno = 0;
	assert_int_equal(proc_read(-1, buf, sizeof buf), -1);
	assert_int_equal(errno, EBADF);
	assert_string_equal(buf, "");
	assert_null(proc_slurp(-1, NULL));
	assert_int_equal(errno, EBADF);
	int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	assert_null(proc_slurp(dir, NULL));
	assert_int_equal(errno, EISDIR);
	close(dir);
}

static void slurps_any_size(void **state)
{
	(void)state;
	static const size_t sizes[] = {0,     1,     4096,  32767, 32768,
	                               65534, 65535, 65536, 65537, 1 << 20};
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		char *text = malloc(sizes[i] + 1);
		assert_non_null(text);
		for (size_t k = 0; k < sizes[i]; k++)
			text[k] = (char)(k * 7 + k / 256);
		int fd = memory_file(text, sizes[i]);
		size_t len = 77;
		char *got = proc_slurp(fd, &len);
		assert_non_null(got);
		assert_int_equal(len, sizes[i]);
		assert_memory_equal(got, text, sizes[i]);
		assert_int_equal(got[len], '\0');
		free(got);
		free(text);
		close(fd);
	}
}

static void slurps_a_pipe(void **state)
{
	(void)state;
	int p[2], status;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(20);
		for (int i = 0; i < 3000; i++) /* in many pieces, and more than a pipe holds */
			if (write(p[1], "0123456789abcdef0123456789abcdef012", 35) != 35)
				_exit(1);
		_exit(0);
	}
	close(p[1]);
	size_t len;
	char *got = proc_slurp(p[0], &len);
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_non_null(got);
	assert_int_equal(len, 3000 * 35);
	assert_int_equal(strlen(got), len);
	free(got);
}

static void ended_process(void **state)
{
	(void)state;
	char path[64], buf[64];
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(20);
		for (;;)
			pause();
	}
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(proc_read(fd, buf, sizeof buf) > 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(proc_read(fd, buf, sizeof buf), -1);
	assert_int_equal(errno, ESRCH);
	assert_string_equal(buf, "");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(reads_from_the_beginning),
	        cmocka_unit_test(cuts_what_does_not_fit),
	        cmocka_unit_test(errors),
	        cmocka_unit_test(slurps_any_size),
	        cmocka_unit_test(slurps_a_pipe),
	        cmocka_unit_test(ended_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
