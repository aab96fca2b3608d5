/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "module/group.h"

#include <string.h>

struct parsed {
	struct maps *maps;
	struct groups groups;
};

static struct parsed parse(const char *text)
{
	struct parsed p;
	p.maps = maps_parse(text, strlen(text));
	assert_int_equal(p.maps->bad_lines, 0);
	groups_make(p.maps, &p.groups);
	return p;
}

static void clear(struct parsed *p)
{
	groups_clear(&p->groups);
	maps_free(p->maps);
}

static void expect_group(const struct parsed *p, size_t i, size_t first, size_t last, uint64_t end)
{
	assert_true(i < p->groups.len);
	assert_int_equal(p->groups.list[i].first, first);
	assert_int_equal(p->groups.list[i].last, last);
	assert_int_equal(p->groups.list[i].end, end);
}

static void an_executable_and_its_heap(void **state)
{
	(void)state;
	struct parsed p = parse("1000-2000 r--p 00000000 08:01 7 /bin/a\n"
	                        "2000-4000 r-xp 00001000 08:01 7 /bin/a\n"
	                        "4000-5000 r--p 00003000 08:01 7 /bin/a\n"
	                        "5000-6000 rw-p 00004000 08:01 7 /bin/a\n"
	                        "6000-9000 rw-p 00000000 00:00 0 [heap]\n"
	                        "a000-b000 r-xp 00000000 00:00 0 [vdso]\n");
	assert_int_equal(p.groups.len, 2);
	expect_group(&p, 0, 0, 3, 0x6000);
	expect_group(&p, 1, 5, 5, 0xb000);
	assert_int_equal(p.groups.of_mapping[1], 0);
	assert_int_equal(p.groups.of_mapping[4], GROUP_NONE);
	assert_int_equal(p.groups.of_mapping[5], 1);
	clear(&p);
}

static void data_is_no_module(void **state)
{
	(void)state;
	struct parsed p = parse("1000-2000 r--p 00000000 08:01 7 /data\n"
	                        "3000-4000 rw-p 00000000 00:00 0 \n"
	                        "5000-6000 r--p 00000000 08:01 8 /b.so\n"
	                        "6000-7000 r-xp 00001000 08:01 8 /b.so\n");
	assert_int_equal(p.groups.len, 1);
	expect_group(&p, 0, 2, 3, 0x7000);
	assert_int_equal(p.groups.of_mapping[0], GROUP_NONE);
	clear(&p);
}

static void one_file_mapped_twice(void **state)
{
	(void)state;
	struct parsed p = parse("1000-2000 r-xp 00000000 08:01 7 /a.so\n"
	                        "2000-3000 rw-p 00001000 08:01 7 /a.so\n"
	                        "3000-4000 r-xp 00000000 08:01 7 /a.so\n"
	                        "4000-5000 rw-p 00001000 08:01 7 /a.so\n"
	                        "5000-9000 r--p 00000000 08:01 7 /a.so\n");
	assert_int_equal(p.groups.len, 2);
	expect_group(&p, 0, 0, 1, 0x3000);
	expect_group(&p, 1, 2, 3, 0x5000);
	assert_int_equal(p.groups.of_mapping[4], GROUP_NONE);
	clear(&p);
}

/* The same name may be another file, after an upgrade. */
static void files_are_told_apart_by_inode(void **state)
{
	(void)state;
	struct parsed p = parse("1000-2000 r-xp 00000000 08:01 7 /a.so (deleted)\n"
	                        "2000-3000 r-xp 00001000 08:01 8 /a.so\n"
	                        "3000-4000 r-xp 00002000 08:02 8 /a.so\n");
	assert_int_equal(p.groups.len, 3);
	clear(&p);
}

static void text_moved_to_huge_pages(void **state)
{
	(void)state;
	struct parsed p = parse("1000-2000 r--p 00000000 08:01 7 /bin/a\n"
	                        "2000-3000 rwxp 00000000 00:00 0 \n"
	                        "3000-4000 r-xp 00002000 08:01 7 /bin/a\n"
	                        "4000-5000 r-xp 00000000 00:00 0 \n");
	assert_int_equal(p.groups.len, 1);
	expect_group(&p, 0, 0, 2, 0x4000);
	assert_int_equal(p.groups.of_mapping[1], 0);
	assert_int_equal(p.groups.of_mapping[3], GROUP_NONE);
	clear(&p);
}

static void nothing(void **state)
{
	(void)state;
	struct parsed p = parse("");
	assert_int_equal(p.groups.len, 0);
	clear(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(an_executable_and_its_heap),
	        cmocka_unit_test(data_is_no_module),
	        cmocka_unit_test(one_file_mapped_twice),
	        cmocka_unit_test(files_are_told_apart_by_inode),
	        cmocka_unit_test(text_moved_to_huge_pages),
	        cmocka_unit_test(nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
