/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Following a migration to its end over the control socket: what `umig
 * migrate` does once the VM's process has begun.
 */
#ifndef UMIG_CONTROL_FOLLOW_H
#define UMIG_CONTROL_FOLLOW_H

#include <stdbool.h>

#include <jansson.h>

#include "control/client.h"
#include "control/exit_code.h"

/**
 * follow_migration() - Start a migration, and watch it until it has ended.
 * @taken: arguments of the migrate command, consumed.
 * @json: print the outcome as one JSON object on stdout, else as a table.
 *
 * Progress goes to stderr: a line that changes if that is a terminal, else a
 * line every few seconds.  SIGINT and SIGTERM cancel the migration, and are
 * blocked in this thread from here on; the second one ends the watching only.
 */
enum exit_code follow_migration(struct control_client *c, json_t *taken,
				bool json);

/**
 * follow_failed() - Say why nothing is known of a migration: on stderr, and
 * with @json as the object that is expected on stdout all the same.
 * @unknown: it had begun; else it never did.
 */
enum exit_code follow_failed(const struct err *err, bool unknown, bool json);

#endif
