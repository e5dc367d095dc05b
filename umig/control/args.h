/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Arguments of control commands, checked: an argument that is unknown, of the
 * wrong type or out of range is refused by name.
 */
#ifndef UMIG_CONTROL_ARGS_H
#define UMIG_CONTROL_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "lib/err.h"

/* All leave *@out alone if @args (which may be NULL) doesn't have @name. */

int args_string(const json_t *args, const char *name, const char **out,
		struct err *err);
int args_bool(const json_t *args, const char *name, bool *out,
	      struct err *err);
/** args_number() - An integer in [@min, @max]. */
int args_number(const json_t *args, const char *name, uint64_t min,
		uint64_t max, uint64_t *out, struct err *err);

/** args_known() - Refuse what isn't in the NULL-terminated list @names. */
int args_known(const json_t *args, const char *const *names,
	       struct err *err);

#endif
