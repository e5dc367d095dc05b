// SPDX-License-Identifier: GPL-2.0
/*
 * Machine descriptions: see machine.h.
 *
 *   u32 properties, each: name (u16 length, bytes), value (likewise)
 *   u32 bytes of the CPUID table, the table
 */
#include "wire/machine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *machine_get(const struct machine *m, const char *name)
{
	unsigned int i;

	for (i = 0; i < m->nr; i++)
		if (!strcmp(m->prop[i].name, name))
			return m->prop[i].value;
	return NULL;
}

int machine_set(struct machine *m, const char *name, const char *fmt, ...)
{
	struct machine_prop *p = &m->prop[m->nr];
	va_list ap;
	int n;

	if (m->nr == MACHINE_PROPS_MAX)
		return -ENOSPC;
	if (machine_get(m, name))
		return -EEXIST;
	if (strlen(name) >= sizeof(p->name) || !*name)
		return -EINVAL;
	va_start(ap, fmt);
	n = vsnprintf(p->value, sizeof(p->value), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(p->value))
		return -EINVAL;
	strcpy(p->name, name);
	m->nr++;
	return 0;
}

int machine_set_cpuid(struct machine *m, const void *table, size_t bytes)
{
	uint8_t *copy;

	if (bytes > MACHINE_BLOB_MAX)
		return -EINVAL;
	copy = malloc(bytes ? bytes : 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, table, bytes);
	free(m->cpuid);
	m->cpuid = copy;
	m->cpuid_bytes = bytes;
	return 0;
}

static const char *or_none(const char *value)
{
	return value ? value : "(none)";
}

/* Report the first property of @a that @b lacks or has otherwise. */
static int compare_one_way(const struct machine *a, const struct machine *b,
			   bool a_is_source, struct err *err)
{
	unsigned int i;

	for (i = 0; i < a->nr; i++) {
		const char *name = a->prop[i].name;
		const char *mine = a->prop[i].value;
		const char *other = machine_get(b, name);

		if (other && !strcmp(mine, other))
			continue;
		return err_set(err, -EXDEV,
			       "the machines differ in \"%s\": source has %.80s, destination has %.80s: start umig listen with the source's options",
			       name, a_is_source ? mine : or_none(other),
			       a_is_source ? or_none(other) : mine);
	}
	return 0;
}

int machine_compare(const struct machine *source, const struct machine *here,
		    struct err *err)
{
	int rc = compare_one_way(source, here, true, err);

	return rc ? rc : compare_one_way(here, source, false, err);
}

void machine_encode(const struct machine *m, struct buf *out)
{
	unsigned int i;

	buf_put_u32(out, m->nr);
	for (i = 0; i < m->nr; i++) {
		buf_put_str(out, m->prop[i].name);
		buf_put_str(out, m->prop[i].value);
	}
	buf_put_u32(out, m->cpuid_bytes);
	buf_put(out, m->cpuid, m->cpuid_bytes);
}

/* Names and values are shown to people: nothing but printable ASCII. */
static bool printable(const char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			return false;
	return true;
}

int machine_decode(struct machine *m, struct reader *in)
{
	uint32_t i, nr = reader_u32(in), bytes;
	char value[MACHINE_VALUE_MAX];
	char name[MACHINE_NAME_MAX];
	const void *table;

	if (nr > MACHINE_PROPS_MAX)
		return -EBADMSG;
	for (i = 0; i < nr; i++) {
		reader_str(in, name, sizeof(name));
		reader_str(in, value, sizeof(value));
		if (in->error || !printable(name) || !printable(value) ||
		    machine_set(m, name, "%s", value))
			return -EBADMSG;
	}
	bytes = reader_u32(in);
	if (bytes > MACHINE_BLOB_MAX)
		return -EBADMSG;
	table = reader_take(in, bytes);
	if (!table)
		return -EBADMSG;
	return machine_set_cpuid(m, table, bytes);
}

void machine_free(struct machine *m)
{
	free(m->cpuid);
	*m = (struct machine){ 0 };
}
