/* SPDX-License-Identifier: MIT */
/* What is made of profiles: files of several formats, reports, a summary. */
#ifndef MEMTOP_OUTPUT_OUTPUT_H
#define MEMTOP_OUTPUT_OUTPUT_H

#include "base/err.h"
#include "engine/engine.h"
#include "profile/profile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/* One watched process, as outputs see it. */
struct output_target {
	const char *command; /* printable */
	pid_t pid;
	struct profile *profile;
	unsigned kinds; /* mask of 1 << MEM_… that is wanted */
};

struct output_ops {
	const char *extension; /* with its dot */
	const char *what;      /* for messages and help */
	void (*write)(FILE *f, const struct output_target *targets, size_t n);
};

extern const struct output_ops output_folded;

/* The format for a file's name, "-" included; NULL if there is none for its extension. */
const struct output_ops *output_for(const char *file);

/* The extensions there are, for messages: ".folded". */
const char *output_extensions(void);

#endif
