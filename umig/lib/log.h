/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages to people, on stderr, one line each: "umig: error: ...".  Library
 * code below cmd_*.c logs only what has no caller to return it to.
 */
#ifndef UMIG_LIB_LOG_H
#define UMIG_LIB_LOG_H

enum log_level {
	LOG_LEVEL_ERROR = 1,
	LOG_LEVEL_WARN = 2,
	LOG_LEVEL_INFO = 3,
	LOG_LEVEL_DEBUG = 4,
};

/** log_set_level() - Drop messages above @level; INFO at start. */
void log_set_level(enum log_level level);

void log_msg(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_msg(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_msg(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_msg(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
