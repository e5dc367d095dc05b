// SPDX-License-Identifier: GPL-2.0
/*
 * Numbers as people write and read them: see number.h.
 */
#include "lib/number.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Digits up to *@end: strtoull() would take signs, blanks and hex as well. */
static int parse_digits(const char *text, const char **end, uint64_t *out)
{
	uint64_t v = 0;
	const char *p;

	for (p = text; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, *p - '0', &v))
			return -ERANGE;
	}
	if (p == text)
		return -EINVAL;
	*end = p;
	*out = v;
	return 0;
}

int number_parse(const char *text, uint64_t *out)
{
	const char *end;
	uint64_t v;
	int ret = parse_digits(text, &end, &v);

	if (ret)
		return ret;
	if (*end)
		return -EINVAL;
	*out = v;
	return 0;
}

int number_parse_size(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "KMGT";
	const char *end, *suffix;
	uint64_t v;
	int ret = parse_digits(text, &end, &v);

	if (ret)
		return ret;
	if (*end) {
		suffix = strchr(suffixes, *end);
		if (!suffix || end[1])
			return -EINVAL;
		if (__builtin_mul_overflow(
			    v, 1ULL << 10 * (suffix - suffixes + 1), &v))
			return -ERANGE;
	}
	*bytes = v;
	return 0;
}

const char *number_format_size(char *to, size_t room, uint64_t bytes)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = bytes;
	size_t i = 0;

	while (v >= 1024 && i < 4) {
		v /= 1024;
		i++;
	}
	if (i && v < 10 && v != (uint64_t)v)
		snprintf(to, room, "%.1f %s", v, unit[i]);
	else
		snprintf(to, room, "%.0f %s", v, unit[i]);
	return to;
}

const char *number_format_ns(char *to, size_t room, uint64_t ns)
{
	if (ns < 1000000)
		snprintf(to, room, "%.0f us", ns / 1e3);
	else if (ns < 1000000000)
		snprintf(to, room, "%.1f ms", ns / 1e6);
	else
		snprintf(to, room, "%.2f s", ns / 1e9);
	return to;
}
