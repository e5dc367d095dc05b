// SPDX-License-Identifier: GPL-2.0
/*
 * Arguments of control commands: see args.h.
 */
#include "control/args.h"

#include <errno.h>
#include <string.h>

int args_string(const json_t *args, const char *name, const char **out,
		struct err *err)
{
	const json_t *v = json_object_get(args, name);

	if (!v)
		return 0;
	if (!json_string_length(v))
		return err_set(err, -EINVAL,
			       "argument \"%s\" must be a string, not empty",
			       name);
	*out = json_string_value(v);
	return 0;
}

int args_bool(const json_t *args, const char *name, bool *out,
	      struct err *err)
{
	const json_t *v = json_object_get(args, name);

	if (!v)
		return 0;
	if (!json_is_boolean(v))
		return err_set(err, -EINVAL,
			       "argument \"%s\" must be true or false", name);
	*out = json_is_true(v);
	return 0;
}

int args_number(const json_t *args, const char *name, uint64_t min,
		uint64_t max, uint64_t *out, struct err *err)
{
	const json_t *v = json_object_get(args, name);
	json_int_t n;

	if (!v)
		return 0;
	n = json_integer_value(v);
	if (!json_is_integer(v) || n < 0 || (uint64_t)n < min ||
	    (uint64_t)n > max)
		return err_set(err, -EINVAL,
			       "argument \"%s\" must be a number from %llu to %llu",
			       name, (unsigned long long)min,
			       (unsigned long long)max);
	*out = n;
	return 0;
}

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (!strcmp(name, *names))
			return true;
	return false;
}

int args_known(const json_t *args, const char *const *names,
	       struct err *err)
{
	void *iter;

	for (iter = json_object_iter((json_t *)args); iter;
	     iter = json_object_iter_next((json_t *)args, iter))
		if (!is_one_of(json_object_iter_key(iter), names))
			return err_set(err, -EINVAL,
				       "there is no argument \"%.64s\"",
				       json_object_iter_key(iter));
	return 0;
}
