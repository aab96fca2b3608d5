/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "module/buildid.h"

#include <string.h>

struct note {
	Elf64_Nhdr header;
	char name[4];
	unsigned char desc[8];
};

static struct note note(uint32_t type, const char *name)
{
	struct note n = {{4, 8, type}, "", {1, 2, 3, 4, 5, 6, 7, 8}};
	memcpy(n.name, name, 4);
	return n;
}

static bool search(const void *notes, size_t len, size_t align, struct build_id *id)
{
	*id = (struct build_id){0};
	return build_id_in_notes(notes, len, align, id);
}

static void it_is_found_among_others(void **state)
{
	(void)state;
	struct note notes[] = {note(NT_GNU_ABI_TAG, "GNU"), note(NT_GNU_BUILD_ID, "XYZ"),
	                       note(NT_GNU_BUILD_ID, "GNU")};
	struct build_id id;
	notes[2].desc[0] = 42;
	assert_true(search(notes, sizeof notes, 4, &id));
	assert_int_equal(id.len, 8);
	assert_int_equal(id.bits[0], 42);
	assert_true(search(notes, sizeof notes, 8, &id));
}

static void there_may_be_none(void **state)
{
	(void)state;
	struct note n = note(NT_GNU_ABI_TAG, "GNU");
	struct build_id id;
	assert_false(search(&n, sizeof n, 4, &id));
	assert_false(search(&n, 0, 4, &id));
	assert_false(search(&n, 5, 4, &id));
}

static void lengths_lie(void **state)
{
	(void)state;
	static const uint32_t lies[] = {5, 9, 12, 100, 0x7fffffff, 0xfffffff0, 0xffffffff};
	struct build_id id;
	for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
		struct note n = note(NT_GNU_BUILD_ID, "GNU");
		n.header.n_descsz = lies[i];
		if (lies[i] > sizeof n.desc)
			assert_false(search(&n, sizeof n, 4, &id));
		n = note(NT_GNU_BUILD_ID, "GNU");
		n.header.n_namesz = lies[i];
		assert_false(search(&n, sizeof n, 4, &id));
	}
	struct note cut = note(NT_GNU_BUILD_ID, "GNU");
	for (size_t len = 0; len < sizeof cut; len++)
		assert_false(search(&cut, len, 4, &id));
	cut.header.n_descsz = 0;
	assert_false(search(&cut, sizeof cut, 4, &id));
}

static void equality_minds_the_length(void **state)
{
	(void)state;
	struct build_id a = {4, {1, 2, 3, 4}}, b = a;
	assert_true(build_id_equal(&a, &b));
	b.len = 3;
	assert_false(build_id_equal(&a, &b));
	b = a;
	b.bits[3] = 9;
	assert_false(build_id_equal(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(it_is_found_among_others),
	        cmocka_unit_test(there_may_be_none),
	        cmocka_unit_test(lengths_lie),
	        cmocka_unit_test(equality_minds_the_length),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
