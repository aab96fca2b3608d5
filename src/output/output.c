/* SPDX-License-Identifier: MIT */
#include "output/output.h"

#include <string.h>

static const struct output_ops *const formats[] = {&output_folded};

const struct output_ops *output_for(const char *file)
{
	if (strcmp(file, "-") == 0)
		return &output_folded;
	size_t len = strlen(file);
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
		size_t n = strlen(formats[i]->extension);
		if (len > n && strcmp(file + len - n, formats[i]->extension) == 0)
			return formats[i];
	}
	return NULL;
}

const char *output_extensions(void)
{
	return ".folded";
}
