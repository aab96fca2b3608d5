/* SPDX-License-Identifier: MIT */
/* Files that are whole at any time: written beside, then renamed over. */
#ifndef MEMTOP_OUTPUT_FILE_H
#define MEMTOP_OUTPUT_FILE_H

#include "output/output.h"

struct output_file;

/* Opens name's folder, so that a later rename of it does no harm, and writes a first, empty
 * version. "-" is stdout: written once, by output_file_finish. */
struct output_file *output_file_open(const char *name, const struct output_ops *ops, struct err *e);
void output_file_free(struct output_file *f); /* NULL-safe */
const char *output_file_name(const struct output_file *f);

/* Replaces what is there. On failure what was there stays as it was. final: the last time. */
bool output_file_write(struct output_file *f, const struct output_target *targets, size_t n,
                       bool final, struct err *e);

#endif
