/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Commands that ask a VM's process one thing: connect, ask, print how the VM
 * stands now.
 */
#ifndef UMIG_CONTROL_ASK_H
#define UMIG_CONTROL_ASK_H

#include <stdbool.h>

#include <jansson.h>

#include "control/exit_code.h"

/**
 * ask() - Give one command, then print the VM's state.
 * @path: control socket.
 * @command: NULL: only print.
 * @taken: its arguments, consumed; NULL: none.
 * @json: as one JSON object: that of query-status with that of query-migrate as
 *	its member "migration".
 */
enum exit_code ask(const char *path, const char *command, json_t *taken,
		   bool json);

/** ask_quit() - Give a command that ends the process: nothing is printed but
 * an empty object with @json.
 */
enum exit_code ask_quit(const char *path, bool json);

#endif
