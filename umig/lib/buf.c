// SPDX-License-Identifier: GPL-2.0
/*
 * Byte buffers: see buf.h.  The reader is the one place where lengths that
 * came from outside are compared with what is there.
 */
#include "lib/buf.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void *buf_reserve(struct buf *b, size_t bytes)
{
	void *at;

	if (b->error)
		return NULL;
	if (bytes > b->cap - b->len) {
		size_t cap = b->cap ? b->cap : 256;
		uint8_t *data;

		while (cap - b->len < bytes && cap <= SIZE_MAX / 2)
			cap *= 2;
		data = cap - b->len < bytes ? NULL : realloc(b->data, cap);
		if (!data) {
			b->error = -ENOMEM;
			return NULL;
		}
		b->data = data;
		b->cap = cap;
	}
	at = b->data + b->len;
	b->len += bytes;
	return at;
}

void buf_put(struct buf *b, const void *data, size_t bytes)
{
	void *at = buf_reserve(b, bytes);

	if (at && bytes)
		memcpy(at, data, bytes);
}

void buf_put_u8(struct buf *b, uint8_t v)
{
	buf_put(b, &v, sizeof(v));
}

void buf_put_u16(struct buf *b, uint16_t v)
{
	v = htole16(v);
	buf_put(b, &v, sizeof(v));
}

void buf_put_u32(struct buf *b, uint32_t v)
{
	v = htole32(v);
	buf_put(b, &v, sizeof(v));
}

void buf_put_u64(struct buf *b, uint64_t v)
{
	v = htole64(v);
	buf_put(b, &v, sizeof(v));
}

void buf_put_str(struct buf *b, const char *s)
{
	size_t n = strlen(s);

	if (n > UINT16_MAX) {
		b->error = -EINVAL;
		return;
	}
	buf_put_u16(b, n);
	buf_put(b, s, n);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->error = 0;
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

void reader_init(struct reader *r, const void *data, size_t bytes)
{
	*r = (struct reader){ .data = data, .len = bytes };
}

const void *reader_take(struct reader *r, size_t bytes)
{
	const void *at;

	if (r->error || bytes > r->len - r->pos) {
		r->error = -EBADMSG;
		return NULL;
	}
	at = r->data + r->pos;
	r->pos += bytes;
	return at;
}

void reader_get(struct reader *r, void *to, size_t bytes)
{
	const void *at = reader_take(r, bytes);

	if (at)
		memcpy(to, at, bytes);
	else
		memset(to, 0, bytes);
}

uint8_t reader_u8(struct reader *r)
{
	uint8_t v;

	reader_get(r, &v, sizeof(v));
	return v;
}

uint16_t reader_u16(struct reader *r)
{
	uint16_t v;

	reader_get(r, &v, sizeof(v));
	return le16toh(v);
}

uint32_t reader_u32(struct reader *r)
{
	uint32_t v;

	reader_get(r, &v, sizeof(v));
	return le32toh(v);
}

uint64_t reader_u64(struct reader *r)
{
	uint64_t v;

	reader_get(r, &v, sizeof(v));
	return le64toh(v);
}

void reader_str(struct reader *r, char *to, size_t room)
{
	uint16_t n = reader_u16(r);
	const char *at = reader_take(r, n);

	to[0] = '\0';
	if (!at)
		return;
	if (n >= room || memchr(at, '\0', n)) {
		r->error = -EBADMSG;
		return;
	}
	memcpy(to, at, n);
	to[n] = '\0';
}

int reader_end(const struct reader *r)
{
	return r->error || r->pos != r->len ? -EBADMSG : 0;
}
