// SPDX-License-Identifier: GPL-2.0
/*
 * Saved machine state as bytes: see state_format.h.
 */
#include "vmm/state_format.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

size_t state_begin(struct buf *out, const char *name, uint32_t version)
{
	buf_put_str(out, name);
	buf_put_u32(out, version);
	buf_put_u32(out, 0);
	return out->len;
}

void state_end(struct buf *out, size_t mark)
{
	uint32_t bytes;

	if (out->error)
		return;
	bytes = htole32(out->len - mark);
	memcpy(out->data + mark - sizeof(bytes), &bytes, sizeof(bytes));
}

/* Names are ours: letters, digits, '-'.  They end up in messages. */
static bool name_ok(const char *name)
{
	const char *c;

	for (c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '-')
			return false;
	return c != name;
}

static bool known(const struct state_index *index, const char *name)
{
	unsigned int i;

	for (i = 0; i < index->nr; i++)
		if (!strcmp(index->section[i].name, name))
			return true;
	return false;
}

static int parse_one(struct reader *r, struct state_index *out,
		     struct err *err)
{
	struct state_section s = { 0 };
	size_t at = r->pos;

	reader_str(r, s.name, sizeof(s.name));
	s.version = reader_u32(r);
	s.bytes = reader_u32(r);
	s.offset = r->pos;
	s.data = reader_take(r, s.bytes);
	if (r->error || !name_ok(s.name))
		return err_set(err, -EBADMSG,
			       "machine state: malformed section at offset %zu",
			       at);
	if (known(out, s.name))
		return err_set(err, -EBADMSG,
			       "machine state: section %s twice, at offset %zu",
			       s.name, at);
	if (out->nr == STATE_SECTIONS_MAX)
		return err_set(err, -EBADMSG,
			       "machine state: more than %d sections, at offset %zu",
			       STATE_SECTIONS_MAX, at);
	out->section[out->nr++] = s;
	return 0;
}

int state_parse(const void *data, size_t bytes, struct state_index *out,
		struct err *err)
{
	struct reader r;
	int ret = 0;

	out->nr = 0;
	reader_init(&r, data, bytes);
	while (reader_left(&r) && !ret)
		ret = parse_one(&r, out, err);
	return ret;
}

struct state_section *state_take(struct state_index *index, const char *name,
				 uint32_t version, struct err *err)
{
	struct state_section *s;

	for (s = index->section; s < index->section + index->nr; s++) {
		if (strcmp(s->name, name))
			continue;
		if (s->version != version) {
			err_set(err, -EBADMSG,
				"machine state: section %s has version %u, this umig knows %u: use the same umig on both hosts",
				name, s->version, version);
			return NULL;
		}
		s->used = true;
		return s;
	}
	err_set(err, -EBADMSG, "machine state: section %s is missing", name);
	return NULL;
}

int state_all_used(const struct state_index *index, struct err *err)
{
	unsigned int i;

	for (i = 0; i < index->nr; i++)
		if (!index->section[i].used)
			return err_set(err, -EBADMSG,
				       "machine state: unknown section %s at offset %zu",
				       index->section[i].name,
				       index->section[i].offset);
	return 0;
}
