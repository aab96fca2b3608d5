/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Length of the well-formed UTF-8 sequence at s, its code point in *cp; 0 when ill-formed. */
static size_t utf8(const unsigned char *s, uint32_t *cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80             ? 1
	           : (s[0] & 0xe0) == 0xc0 ? 2
	           : (s[0] & 0xf0) == 0xe0 ? 3
	           : (s[0] & 0xf8) == 0xf0 ? 4
	                                   : 0;
	if (n == 0)
		return 0;
	uint32_t c = n == 1 ? s[0] : s[0] & (0xffU >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fU);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*cp = c;
	return n;
}

static bool harmless(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return false;
	if (c == 0xad || c == 0x61c || c == 0xfeff || (c >= 0x200b && c <= 0x200f))
		return false; /* soft hyphen, marks of direction, zero width */
	if ((c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f))
		return false; /* line separators, embeddings, overrides, isolates */
	if (c == 0x180e || (c >= 0x1bca0 && c <= 0x1bca3) || (c >= 0x1d173 && c <= 0x1d17a))
		return false; /* shorthand and musical controls */
	return !(c >= 0xfff0 && c <= 0xfffb) && !(c >= 0xe0000 && c <= 0xe0fff);
}

void text_printable(const char *text, char *out, size_t size)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t used = 0, cut = 0; /* cut: where "..." would still fit */
	if (size == 0)
		return;
	while (*s) {
		uint32_t cp = 0;
		size_t n = utf8(s, &cp);
		bool plain = n > 0 && harmless(cp);
		size_t need = plain ? n : 4;
		if (used + 4 <= size)
			cut = used;
		if (used + need >= size) {
			used = cut;
			used += (size_t)snprintf(out + used, size - used, "%s",
			                         size >= 4 ? "..." : "");
			break;
		}
		if (plain) {
			memcpy(out + used, s, n);
			s += n;
		} else {
			snprintf(out + used, size - used, "\\x%02x", (unsigned)*s);
			s++;
		}
		used += need;
	}
	out[used] = '\0';
}

static const char *format(int64_t bytes, const char *plus, char out[TEXT_BYTES])
{
	static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = bytes < 0 ? -(double)bytes : (double)bytes;
	size_t u = 0;
	for (; v >= 1023.95 && u < 6; u++)
		v /= 1024;
	snprintf(out, TEXT_BYTES, "%s%.*f %s", bytes < 0 ? "-" : plus, u > 0, v, unit[u]);
	return out;
}

const char *text_bytes(int64_t bytes, char out[TEXT_BYTES])
{
	return format(bytes, "", out);
}

const char *text_delta(int64_t bytes, char out[TEXT_BYTES])
{
	return format(bytes, bytes > 0 ? "+" : "", out);
}
