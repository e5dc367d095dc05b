/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Commands that look at, or settle, what a VM's processes left in the state
 * directory: for a VM that no process is left of.
 */
#ifndef UMIG_CONTROL_RECORD_H
#define UMIG_CONTROL_RECORD_H

#include <stdbool.h>

#include "control/exit_code.h"

/**
 * record_show() - Print whether a process has the VM, and the record of its
 * last handover.
 * @dir: the state directory, NULL: the default.
 * @json: as one JSON object: "name", "alive", "handover": the record or null.
 */
enum exit_code record_show(const char *dir, const char *name, bool json);

/** record_settle() - handover_settle(), then record_show(). */
enum exit_code record_settle(const char *dir, const char *name, bool moved,
			     bool json);

#endif
