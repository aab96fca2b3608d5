/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(const char *in, const char *expected)
{
	char out[256];
	text_printable(in, out, sizeof out);
	assert_string_equal(out, expected);
}

static void every_byte(void **state)
{
	(void)state;
	for (unsigned c = 1; c < 256; c++) {
		char in[] = {(char)c, '\0'}, around[] = {'a', (char)c, 'b', '\0'};
		char expected[8], between[16];
		if (c >= 0x20 && c < 0x7f)
			snprintf(expected, sizeof expected, "%c", (int)c);
		else
			snprintf(expected, sizeof expected, "\\x%02x", c);
		snprintf(between, sizeof between, "a%sb", expected);
		check(in, expected);
		check(around, between);
	}
}

static void every_pair(void **state)
{
	(void)state;
	for (unsigned a = 1; a < 256; a++)
		for (unsigned b = 1; b < 256; b++) {
			char in[] = {(char)a, (char)b, '\0'}, expected[16] = "", *at = expected;
			unsigned cp = (a & 0x1f) << 6 | (b & 0x3f);
			bool pair = a >= 0xc2 && a <= 0xdf && b >= 0x80 && b <= 0xbf;
			if (pair && cp >= 0xa0 && cp != 0xad && cp != 0x61c) {
				check(in, in);
				continue;
			}
			for (const char *s = in; *s; s++) {
				unsigned c = (unsigned char)*s;
				at += c >= 0x20 && c < 0x7f ? sprintf(at, "%c", (int)c)
				                            : sprintf(at, "\\x%02x", c);
			}
			check(in, expected);
		}
}

static size_t encode(uint32_t c, char out[5])
{
	unsigned char *o = (unsigned char *)out;
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (size_t i = n; i-- > 1; c >>= 6)
		o[i] = (unsigned char)(0x80 | (c & 0x3f));
	o[0] = (unsigned char)(lead[n] | c);
	o[n] = 0;
	return n;
}

static void check_escaped(uint32_t c)
{
	char in[5], expected[32];
	size_t n = encode(c, in);
	for (size_t i = 0; i < n; i++)
		sprintf(expected + 4 * i, "\\x%02x", (unsigned char)in[i]);
	char out[64];
	text_printable(in, out, sizeof out);
	if (strcmp(out, expected) != 0)
		fail_msg("U+%04X got through as \"%s\"", c, out);
}

static void plain_text_stays(void **state)
{
	(void)state;
	check("", "");
	check("main", "main");
	check("grüße ñ Ω ж", "grüße ñ Ω ж");
	check("漢字 한글 😀", "漢字 한글 😀");
	check("a\\b", "a\\b");
	static const uint32_t plain[] = {0xa0,   0xff,   0x3b1,   0x61b,   0x200a, 0x2010, 0x2027,
	                                 0x202f, 0x205f, 0x2070,  0xd7ff,  0xe000, 0xfeb0, 0xff01,
	                                 0xfffc, 0xfffd, 0x1f600, 0x20000, 0xdffff};
	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
		char in[5];
		encode(plain[i], in);
		check(in, in);
	}
}

static void invisible_is_escaped(void **state)
{
	(void)state;
	static const struct {
		uint32_t first, last;
	} bad[] = {
	        {0x01, 0x1f},     {0x7f, 0x9f},       {0xad, 0xad},       {0x61c, 0x61c},
	        {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},   {0xfeff, 0xfeff},
	        {0xfff9, 0xfffb}, {0xe0001, 0xe0001}, {0xe0020, 0xe007f},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		for (uint32_t c = bad[i].first; c <= bad[i].last; c++)
			check_escaped(c);
}

/* Format characters (category Cf) that show nothing, outside the well-known blocks. */
static void rare_invisible_is_escaped(void **state)
{
	(void)state;
	static const uint32_t bad[] = {0x180e,  0x1bca0, 0x1bca1, 0x1bca2, 0x1bca3,
	                               0x1d173, 0x1d174, 0x1d175, 0x1d176, 0x1d177,
	                               0x1d178, 0x1d179, 0x1d17a};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		check_escaped(bad[i]);
}

static void bad_utf8(void **state)
{
	(void)state;
	static const char *const examples[][2] = {
	        {"\xc0\xaf", "\\xc0\\xaf"},                   /* overlong '/' */
	        {"\xc1\x9b", "\\xc1\\x9b"},                   /* overlong '[' */
	        {"\xe0\x80\x9b", "\\xe0\\x80\\x9b"},          /* overlong ESC */
	        {"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"},          /* overlong U+07FF */
	        {"\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf"}, /* overlong U+FFFF */
	        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* surrogate */
	        {"\xed\xbf\xbf", "\\xed\\xbf\\xbf"},          /* surrogate */
	        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* above U+10FFFF */
	        {"\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80"},
	        {"\xff\xfe", "\\xff\\xfe"},
	        {"\xe2\x82", "\\xe2\\x82"}, /* cut */
	        {"\xf0\x9f\x98", "\\xf0\\x9f\\x98"},
	        {"\xc3"
	         "a",
	         "\\xc3"
	         "a"},
	        {"\xe2\x82"
	         "a\xe2\x82\xac",
	         "\\xe2\\x82"
	         "a\xe2\x82\xac"},
	        {"\x9b"
	         "31m",
	         "\\x9b"
	         "31m"}, /* an 8-bit CSI */
	        {"\x1b[2J", "\\x1b[2J"},
	        {"\r\n\t", "\\x0d\\x0a\\x09"},
	};
	for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
		check(examples[i][0], examples[i][1]);
}

/* The end of the string lies at the end of the memory: a sanitizer sees a byte too many. */
static void reads_no_further(void **state)
{
	(void)state;
	static const unsigned char leads[] = {0xc3, 0xe2, 0xf0};
	for (size_t i = 0; i < sizeof leads; i++) {
		char *in = malloc(2), out[16];
		assert_non_null(in);
		in[0] = (char)leads[i];
		in[1] = '\0';
		text_printable(in, out, sizeof out);
		assert_int_equal(strlen(out), 4);
		free(in);
	}
}

static bool whole_units(const char *s)
{
	while (*s) {
		unsigned char c = (unsigned char)*s;
		size_t n = c == '\\' ? 4 : c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		for (size_t i = 1; i < n; i++)
			if (!s[i] || (c >= 0x80 && ((unsigned char)s[i] & 0xc0) != 0x80))
				return false;
		s += n;
	}
	return true;
}

/* Any text into any size: always terminated, never beyond, only whole characters, cut with "...".
 */
static void any_size(void **state)
{
	(void)state;
	static const char *const parts[] = {"a", "é", "€", "😀", "\x1b", "\x80", "z", "\xff"};
	struct rng r = rng_seeded(4);
	for (int round = 0; round < 3000; round++) {
		char in[64] = "", full[256];
		size_t parts_n = rng_next(&r) % 12;
		for (size_t i = 0; i < parts_n; i++)
			strcat(in, parts[rng_next(&r) % 8]);
		text_printable(in, full, sizeof full);
		size_t size = rng_next(&r) % 48;
		char *out = malloc(size + 8);
		assert_non_null(out);
		memset(out, 0x5a, size + 8);
		text_printable(in, out, size);
		for (size_t i = 0; i < 8; i++)
			assert_int_equal(out[size + i], 0x5a);
		if (size > 0) {
			size_t len = strlen(out);
			assert_true(len < size);
			assert_true(whole_units(out));
			if (strcmp(out, full) != 0 && size >= 4) {
				assert_true(len >= 3);
				assert_string_equal(out + len - 3, "...");
				assert_memory_equal(out, full, len - 3);
			}
			if (strlen(full) + 4 <= size)
				assert_string_equal(out, full);
		}
		free(out);
	}
}

/* What fits is not overlong. */
static void fits_exactly(void **state)
{
	(void)state;
	char out[8];
	text_printable("abcdefg", out, sizeof out);
	assert_string_equal(out, "abcdefg");
	text_printable("abc\x01", out, sizeof out);
	assert_string_equal(out, "abc\\x01");
	text_printable("abcdefgh", out, sizeof out);
	assert_string_equal(out, "abcd...");
}

static void bytes(void **state)
{
	(void)state;
	static const struct {
		int64_t bytes;
		const char *text, *delta;
	} examples[] = {
	        {0, "0 B", "0 B"},
	        {1, "1 B", "+1 B"},
	        {-1, "-1 B", "-1 B"},
	        {1023, "1023 B", "+1023 B"},
	        {1024, "1.0 KiB", "+1.0 KiB"},
	        {1536, "1.5 KiB", "+1.5 KiB"},
	        {-1536, "-1.5 KiB", "-1.5 KiB"},
	        {1048524, "1023.9 KiB", "+1023.9 KiB"},
	        {1048575, "1.0 MiB", "+1.0 MiB"}, /* never "1024.0 KiB" */
	        {INT64_C(1) << 30, "1.0 GiB", "+1.0 GiB"},
	        {INT64_C(3) << 39, "1.5 TiB", "+1.5 TiB"},
	        {INT64_C(1) << 50, "1.0 PiB", "+1.0 PiB"},
	        {INT64_MAX, "8.0 EiB", "+8.0 EiB"},
	        {INT64_MIN, "-8.0 EiB", "-8.0 EiB"},
	};
	for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
		char out[TEXT_BYTES];
		assert_ptr_equal(text_bytes(examples[i].bytes, out), out);
		assert_string_equal(out, examples[i].text);
		assert_ptr_equal(text_delta(examples[i].bytes, out), out);
		assert_string_equal(out, examples[i].delta);
	}
}

static void bytes_of_any_number(void **state)
{
	(void)state;
	struct rng r = rng_seeded(5);
	for (int i = 0; i < 20000; i++) {
		int64_t b = (int64_t)(rng_next(&r) >> (rng_next(&r) % 64));
		char out[TEXT_BYTES], *unit;
		double v = strtod(text_bytes(b, out), &unit);
		static const char *const units[] = {" B",   " KiB", " MiB", " GiB",
		                                    " TiB", " PiB", " EiB"};
		size_t u = 0;
		while (u < 7 && strcmp(unit, units[u]) != 0)
			u++;
		assert_true(u < 7);
		double back = v * (double)(INT64_C(1) << (10 * u));
		double error = back - (double)b,
		       allowed = 0.0501 * (double)(INT64_C(1) << (10 * u));
		assert_true(v > -1024 && v < 1024);
		assert_true(error <= allowed && error >= -allowed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_byte),
	        cmocka_unit_test(every_pair),
	        cmocka_unit_test(plain_text_stays),
	        cmocka_unit_test(invisible_is_escaped),
	        cmocka_unit_test(rare_invisible_is_escaped),
	        cmocka_unit_test(bad_utf8),
	        cmocka_unit_test(reads_no_further),
	        cmocka_unit_test(any_size),
	        cmocka_unit_test(fits_exactly),
	        cmocka_unit_test(bytes),
	        cmocka_unit_test(bytes_of_any_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
