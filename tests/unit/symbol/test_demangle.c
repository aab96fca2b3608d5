/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "symbol/demangle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct example {
	const char *symbol, *plain; /* plain NULL: stays as it is */
};

static void check(const struct example *examples, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *plain = demangle(examples[i].symbol);
		if (examples[i].plain) {
			assert_non_null(plain);
			assert_string_equal(plain, examples[i].plain);
		} else if (plain) {
			fail_msg("%s became %s", examples[i].symbol, plain);
		}
		free(plain);
	}
}

#define CHECK(examples) check(examples, sizeof(examples) / sizeof(examples)[0])

static void cxx(void **state)
{
	(void)state;
	static const struct example examples[] = {
	        {"_Z3foov", "foo()"},
	        {"_ZN3foo3barEi", "foo::bar(int)"},
	        {"_ZNKSt6vectorIiSaIiEE4sizeEv",
	         "std::vector<int, std::allocator<int> >::size() const"},
	        {"_Z3maxIiET_S0_S0_", "max<int>(int, int)"}, /* no return type */
	        {"_ZN12_GLOBAL__N_11fEv", "(anonymous namespace)::f()"},
	        {"_ZdlPv", "operator delete(void*)"},
	        {"_Z3foov.cold", "foo() [clone .cold]"},
	        {"_Znwm@@GLIBCXX_3.4", "operator new(unsigned long)"},
	        {"_Znwm@GLIBCXX_3.4", "operator new(unsigned long)"},
	        {"_ZTv0_n24_N1A1fEv", "virtual thunk to A::f()"},
	};
	CHECK(examples);
}

static void rust(void **state)
{
	(void)state;
	static const struct example examples[] = {
	        {"_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt"},
	        {"_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$"
	         "3bar17h930b740aa94f1d3aE",
	         "<Test + 'static as foo::Bar<Test>>::bar"},
	        {"_RNvC6_123foo3bar", "123foo::bar"},
	        {"_RNCNCNgCs6DXkGYLi8lr_2cc5spawn00B5_", "cc::spawn::{closure#0}::{closure#0}"},
	        {"_RNvMC0INtC8arrayvec8ArrayVechKj7b_E3new", "<arrayvec::ArrayVec<u8, 123>>::new"},
	        {"_ZN4core3fmt5write17h0123456789abcdefE.llvm.1234567890", "core::fmt::write"},
	};
	CHECK(examples);
}

static void others_stay(void **state)
{
	(void)state;
	static const struct example examples[] = {
	        {"main", NULL},
	        {"", NULL},
	        {"_start", NULL},
	        {"_Z", NULL},
	        {"_R", NULL},
	        {"Zap", NULL},
	        {"_Zzzzzz", NULL},
	        {"memcpy@@GLIBC_2.14", NULL},
	        {"_ZN3fooE3", NULL},
	        {"i", NULL},
	        {"_Rust_is_nice", NULL},
	        {"_ZN", NULL},
	        {"foo.constprop.0", NULL},
	};
	CHECK(examples);
}

static char *repeat(const char *head, const char *part, size_t n, const char *tail)
{
	size_t head_len = strlen(head), len = strlen(part);
	char *s = malloc(head_len + n * len + strlen(tail) + 1);
	assert_non_null(s);
	memcpy(s, head, head_len);
	for (size_t i = 0; i < n; i++)
		memcpy(s + head_len + i * len, part, len);
	strcpy(s + head_len + n * len, tail);
	return s;
}

/* Deep, long, and exponential ones: all that counts is that they end, soon, with memory to spare.
 */
static void hostile(void **state)
{
	(void)state;
	static const struct {
		const char *head, *part, *tail;
	} parts[] = {
	        {"_Z3foo", "P", "i"}, {"_Z1f", "1aIS0_", "E"},
	        {"_ZN", "1a", "Ev"},  {"_Z1fI", "NS_", "E"},
	        {"_RNvC", "N", "1a"}, {"_RI", "I", "E"},
	        {"_Z1f", "M1a", "i"}, {"_Z1fIXsr", "1a", "E"},
	        {"_Z1fF", "F", "v"},  {"_ZN4core", "$u", "17h0123456789abcdefE"},
	        {"_RC", "u8_", "a"},  {"_Z1fv", "_", ""},
	};
	static const size_t counts[] = {10, 1000, 8000, 200000};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
			char *s = repeat(parts[i].head, parts[i].part, counts[k], parts[i].tail);
			char *plain = demangle(s);
			if (plain)
				assert_true(strlen(plain) < 65536);
			free(plain);
			free(s);
		}
}

/* Each argument is a template of the one before, twice: 2^30 names in 200 letters. */
static void exponential(void **state)
{
	(void)state;
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char s[1024] = "_Z1f1aIiiE", *at = s + strlen(s);
	for (int i = 0; i < 30; i++) {
		char c = digits[i * 2 < 36 ? i * 2 : 35];
		at += sprintf(at, "1aIS%c_S%c_E", c, c);
	}
	char *plain = demangle(s);
	if (plain)
		assert_true(strlen(plain) < 65536);
	free(plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(cxx),         cmocka_unit_test(rust),
	        cmocka_unit_test(others_stay), cmocka_unit_test(hostile),
	        cmocka_unit_test(exponential),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
