/* SPDX-License-Identifier: GPL-2.0 */
/* How umig's processes end.  umig(1) lists these for scripts. */
#ifndef UMIG_CONTROL_EXIT_CODE_H
#define UMIG_CONTROL_EXIT_CODE_H

/**
 * enum exit_code - Exit codes, the same for every command.
 * @EXIT_CODE_OK: done.
 * @EXIT_CODE_FAILED: not done; the message says why.
 * @EXIT_CODE_USAGE: the command line makes no sense; nothing was tried.
 * @EXIT_CODE_MIGRATION: the migration failed or was cancelled, the guest is at
 *	the source.
 * @EXIT_CODE_UNKNOWN: it isn't known at which end the guest is.
 * @EXIT_CODE_CRASHED: the guest crashed.
 */
enum exit_code {
	EXIT_CODE_OK = 0,
	EXIT_CODE_FAILED = 1,
	EXIT_CODE_USAGE = 2,
	EXIT_CODE_MIGRATION = 3,
	EXIT_CODE_UNKNOWN = 4,
	EXIT_CODE_CRASHED = 5,
};

#endif
