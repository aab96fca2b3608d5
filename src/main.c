/* SPDX-License-Identifier: MIT */
#include "app/options.h"
#include "app/session.h"
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct options o;
	struct err e;
	if (!options_parse(&o, getenv("MEMTOP_OPTIONS"), argc, argv, &e)) {
		fprintf(stderr, "memtop: %s (memtop --help tells more)\n", e.text);
		options_clear(&o);
		return 2;
	}
	int status = 0;
	if (o.help) {
		fputs(options_help(), stdout);
	} else if (o.version) {
		puts(PACKAGE_STRING);
	} else {
		struct log l = {.quiet = o.quiet, .verbose = o.verbose};
		status = session_run(&o, &l);
	}
	options_clear(&o);
	return status;
}
