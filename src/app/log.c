/* SPDX-License-Identifier: MIT */
#include "app/log.h"

#include <stdarg.h>
#include <time.h>

__attribute__((format(printf, 3, 0))) static void say(const struct log *l, bool shown,
                                                      const char *fmt, va_list ap)
{
	char text[1024];
	vsnprintf(text, sizeof text, fmt, ap);
	if (shown)
		fprintf(stderr, "memtop: %s\n", text);
	if (!l->file)
		return;
	char stamp[32];
	time_t now = time(NULL);
	struct tm tm;
	strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S%z", localtime_r(&now, &tm));
	fprintf(l->file, "%s %s\n", stamp, text);
	fflush(l->file);
}

void log_error(const struct log *l, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(l, true, fmt, ap);
	va_end(ap);
}

void log_info(const struct log *l, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(l, !l->quiet, fmt, ap);
	va_end(ap);
}

void log_debug(const struct log *l, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(l, l->verbose > 0, fmt, ap);
	va_end(ap);
}
