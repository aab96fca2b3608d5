/* SPDX-License-Identifier: MIT */
/* Text from a target is hostile: nothing of it reaches a terminal or a file but through here. */
#ifndef MEMTOP_BASE_TEXT_H
#define MEMTOP_BASE_TEXT_H

#include <stdint.h>
#include <stddef.h>

/* Writes a printable form of s to out (size bytes, always terminated): control characters, bad
 * UTF-8, bidirectional and other invisible format characters become \xNN. An overlong text ends in
 * "...". */
void text_printable(const char *s, char *out, size_t size);

/* 1536 -> "1.5 KiB". out has room for TEXT_BYTES. */
#define TEXT_BYTES 32
const char *text_bytes(int64_t bytes, char out[TEXT_BYTES]);
const char *text_delta(int64_t bytes, char out[TEXT_BYTES]); /* with a sign, but for 0 */

#endif
