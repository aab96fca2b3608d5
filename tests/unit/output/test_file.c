/* SPDX-License-Identifier: MIT */
#include "output/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a format that writes what a test wants ---- */

static struct {
	const char *text;
	size_t repeat;
	size_t targets;
	void (*meanwhile)(void);
} content;

static void write_content(FILE *f, const struct output_target *targets, size_t n)
{
	(void)targets;
	content.targets = n;
	for (size_t i = 0; i < content.repeat; i++)
		fputs(content.text, f);
	if (content.meanwhile) {
		fflush(f);
		content.meanwhile();
		fputs("end", f);
	}
}

static const struct output_ops ops = {".test", "a test", write_content};

static void will_write(const char *text)
{
	memset(&content, 0, sizeof content);
	content.text = text;
	content.repeat = 1;
}

/* ---- a folder of its own for each test ---- */

static char folder[64], name[128];

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/memtop-test-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(name, sizeof name, "%s/out.test", folder);
	will_write("");
	return 0;
}

static void remove_all(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	rmdir(path);
}

static int teardown(void **state)
{
	char moved[80];
	(void)state;
	snprintf(moved, sizeof moved, "%s.moved", folder);
	remove_all(folder);
	remove_all(moved);
	return 0;
}

static void check_content(const char *path, const char *expected)
{
	char text[256];
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	size_t n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = '\0';
	assert_string_equal(text, expected);
}

static int files_in(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static struct output_file *open_it(const char *path)
{
	struct err e = {""};
	struct output_file *f = output_file_open(path, &ops, &e);
	if (!f)
		fail_msg("%s", e.text);
	return f;
}

static void write_it(struct output_file *f)
{
	struct err e = {""};
	if (!output_file_write(f, NULL, 0, false, &e))
		fail_msg("%s", e.text);
}

/* ---- tests ---- */

static void first_version_and_later(void **state)
{
	(void)state;
	struct output_file *f = open_it(name);
	assert_string_equal(output_file_name(f), name);
	check_content(name, "");
	will_write("first, and rather long");
	struct output_target targets[3] = {{0}};
	struct err e = {""};
	assert_true(output_file_write(f, targets, 3, false, &e));
	assert_int_equal(content.targets, 3);
	check_content(name, "first, and rather long");
	will_write("second");
	assert_true(output_file_write(f, targets, 1, true, &e));
	check_content(name, "second");
	assert_int_equal(files_in(folder), 1); /* nothing beside it */
	output_file_free(f);
	output_file_free(NULL);
	check_content(name, "second");
}

static void old_content_is_still_there(void)
{
	check_content(name, "before");
	assert_int_equal(files_in(folder), 2);
}

/* Who reads the name sees the old text until the new one is whole. */
static void whole_at_any_time(void **state)
{
	(void)state;
	struct output_file *f = open_it(name);
	will_write("before");
	write_it(f);
	struct stat old, new;
	int reader = open(name, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(reader, &old), 0);
	will_write("begin ");
	content.meanwhile = old_content_is_still_there;
	write_it(f);
	check_content(name, "begin end");
	assert_int_equal(stat(name, &new), 0);
	assert_int_not_equal(old.st_ino, new.st_ino);
	char text[16] = "";
	assert_int_equal(read(reader, text, sizeof text), 6); /* one who had it open reads on */
	assert_string_equal(text, "before");
	close(reader);
	output_file_free(f);
}

static void beside_and_relative(void **state)
{
	(void)state;
	int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(chdir(folder), 0);
	struct output_file *f = open_it("plain.test");
	assert_int_equal(fchdir(here), 0);
	close(here);
	will_write("x");
	write_it(f); /* into the folder it was opened in */
	output_file_free(f);
	snprintf(name, sizeof name, "%s/plain.test", folder);
	check_content(name, "x");
}

static void folder_that_moves(void **state)
{
	(void)state;
	char moved[80], there[96];
	snprintf(moved, sizeof moved, "%s.moved", folder);
	snprintf(there, sizeof there, "%s/out.test", moved);
	struct output_file *f = open_it(name);
	assert_int_equal(rename(folder, moved), 0);
	will_write("x");
	write_it(f);
	check_content(there, "x");
	output_file_free(f);
}

static void check_refused(const char *path, const char *const *words)
{
	struct err e = {""};
	assert_null(output_file_open(path, &ops, &e));
	assert_memory_equal(e.text, "can't write ", 12);
	assert_non_null(strstr(e.text, path));
	assert_null(strchr(e.text, '\n'));
	for (; *words; words++)
		if (!strstr(e.text, *words))
			fail_msg("\"%s\" does not say \"%s\"", e.text, *words);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void no_such_folder(void **state)
{
	(void)state;
	char path[128];
	snprintf(path, sizeof path, "%s/none/out.test", folder);
	check_refused(path, WORDS("No such file or directory"));
	FILE *f = fopen(name, "we");
	assert_non_null(f);
	fclose(f);
	snprintf(path, sizeof path, "%s/out.test/out.test", folder);
	check_refused(path, WORDS("Not a directory"));
}

static void no_plain_file(void **state)
{
	(void)state;
	char path[128];
	check_refused("/dev/null", WORDS("no plain file", "-"));
	check_refused(folder, WORDS("no plain file"));
	check_refused("/", WORDS("no plain file"));
	snprintf(path, sizeof path, "%s/pipe.test", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	check_refused(path, WORDS("no plain file"));
	struct stat st;
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
}

static void no_permission(void **state)
{
	(void)state;
	uid_t was = geteuid();
	if (was == 0) {
		assert_int_equal(chmod(folder, 0755), 0);
		assert_int_equal(seteuid(65534), 0);
	} else {
		assert_int_equal(chmod(folder, 0500), 0);
	}
	struct err e = {""};
	struct output_file *f = output_file_open(name, &ops, &e);
	if (was == 0)
		assert_int_equal(seteuid(0), 0);
	else
		assert_int_equal(chmod(folder, 0700), 0);
	assert_null(f);
	assert_non_null(strstr(e.text, "Permission denied; give a file in a folder that you may "
	                               "write"));
	assert_int_equal(files_in(folder), 0);
}

/* No room: what was there stays, and nothing is left beside it. */
static void no_room(void **state)
{
	(void)state;
	struct output_file *f = open_it(name);
	will_write("kept");
	write_it(f);
	struct rlimit old, small;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 8192;
	struct err e = {""};
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	will_write("0123456789abcdef");
	content.repeat = 10000;
	bool written = output_file_write(f, NULL, 0, false, &e);
	setrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, SIG_DFL);
	assert_false(written);
	assert_memory_equal(e.text, "can't write ", 12);
	assert_non_null(strstr(e.text, "File too large"));
	check_content(name, "kept");
	assert_int_equal(files_in(folder), 1);
	will_write("again"); /* and the next time may be better */
	write_it(f);
	check_content(name, "again");
	output_file_free(f);
}

static void folder_that_goes(void **state)
{
	(void)state;
	struct output_file *f = open_it(name);
	struct err e = {""};
	assert_int_equal(unlink(name), 0);
	assert_int_equal(rmdir(folder), 0);
	assert_false(output_file_write(f, NULL, 0, true, &e));
	assert_non_null(strstr(e.text, "No such file or directory"));
	output_file_free(f);
}

/* What a run that was killed left behind is in nobody's way, nor is what an attacker put there. */
static void leftover_temporary(void **state)
{
	(void)state;
	char beside[160], victim[128];
	snprintf(beside, sizeof beside, "%s/.out.test.%d.tmp", folder, (int)getpid());
	snprintf(victim, sizeof victim, "%s/victim", folder);
	FILE *v = fopen(victim, "we");
	assert_non_null(v);
	fputs("precious", v);
	fclose(v);
	assert_int_equal(symlink(victim, beside), 0);
	struct output_file *f = open_it(name);
	will_write("new");
	write_it(f);
	output_file_free(f);
	check_content(name, "new");
	check_content(victim, "precious");
	struct stat st;
	assert_int_equal(lstat(name, &st), 0);
	assert_true(S_ISREG(st.st_mode));
}

static void no_descriptor_is_lost(void **state)
{
	(void)state;
	int before = dup(0);
	close(before);
	for (int i = 0; i < 20; i++) {
		struct output_file *f = open_it(name);
		write_it(f);
		output_file_free(f);
		assert_null(output_file_open("/dev/null", &ops, NULL));
		assert_null(output_file_open("/none/x.test", &ops, NULL));
	}
	int after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

/* ---- stdout ---- */

static bool to_stdout(int fd, struct output_file *f, bool final, struct err *e)
{
	fflush(stdout);
	int old = dup(1);
	dup2(fd, 1);
	bool ok = output_file_write(f, NULL, 0, final, e);
	fflush(stdout);
	clearerr(stdout);
	dup2(old, 1);
	close(old);
	return ok;
}

static void stdout_once(void **state)
{
	(void)state;
	struct output_file *f = open_it("-");
	struct err e = {""};
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	will_write("text");
	assert_true(to_stdout(fd, f, false, &e));
	check_content(name, "");
	assert_true(to_stdout(fd, f, true, &e));
	check_content(name, "text");
	close(fd);
	fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	bool ok = to_stdout(fd, f, true, &e);
	close(fd);
	assert_false(ok);
	assert_string_equal(e.text, "can't write to stdout: No space left on device");
	output_file_free(f);
}

int main(void)
{
#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        FILE_TEST(first_version_and_later), FILE_TEST(whole_at_any_time),
	        FILE_TEST(beside_and_relative),     FILE_TEST(folder_that_moves),
	        FILE_TEST(no_such_folder),          FILE_TEST(no_plain_file),
	        FILE_TEST(no_permission),           FILE_TEST(no_room),
	        FILE_TEST(folder_that_goes),        FILE_TEST(leftover_temporary),
	        FILE_TEST(no_descriptor_is_lost),   FILE_TEST(stdout_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
