// SPDX-License-Identifier: GPL-2.0
/*
 * Messages to people: see log.h.  One write(2) a line, so that lines of
 * several threads don't mix.
 */
#include "lib/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static enum log_level log_level = LOG_LEVEL_INFO;

static const char *const log_prefix[] = {
	[LOG_LEVEL_ERROR] = "umig: error: ",
	[LOG_LEVEL_WARN] = "umig: warning: ",
	[LOG_LEVEL_INFO] = "umig: ",
	[LOG_LEVEL_DEBUG] = "umig: debug: ",
};

void log_set_level(enum log_level level)
{
	log_level = level;
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n, m;

	if (level > log_level)
		return;
	n = snprintf(line, sizeof(line), "%s", log_prefix[level]);
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	if (m < 0)
		return;
	n += m;
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return;	/* nobody is listening */
}
