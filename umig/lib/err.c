// SPDX-License-Identifier: GPL-2.0
/*
 * Errors in words: see err.h.
 */
#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err || err->code)
		return code;
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

const char *err_text(const struct err *err)
{
	return err->text[0] ? err->text : strerror(-err->code);
}
