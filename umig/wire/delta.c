// SPDX-License-Identifier: GPL-2.0
/*
 * A page as changes to what it was: see delta.h.
 */
#include "wire/delta.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "lib/buf.h"

#define PAGE DELTA_PAGE_BYTES
#define WORD 8

struct wire_piece {
	uint16_t keep;
	uint16_t count;
} __attribute__((packed));

_Static_assert(sizeof(struct wire_piece) == 4, "wire");

/* The first byte from @at on that differs, by words where it can; or PAGE. */
static unsigned int skip_equal(const uint8_t *before, const uint8_t *now,
			       unsigned int at)
{
	uint64_t a, b;

	for (; at % WORD && at < PAGE; at++)
		if (before[at] != now[at])
			return at;
	for (; at < PAGE; at += WORD) {
		memcpy(&a, before + at, WORD);
		memcpy(&b, now + at, WORD);
		if (a != b)
			break;
	}
	while (at < PAGE && before[at] == now[at])
		at++;
	return at;
}

/* Where a piece ends: before as many equal bytes as a header is long. */
static unsigned int piece_end(const uint8_t *before, const uint8_t *now,
			      unsigned int at)
{
	unsigned int end = at;

	for (; at < PAGE && at - end <= sizeof(struct wire_piece); at++)
		if (before[at] != now[at])
			end = at + 1;
	return end;
}

int delta_encode(const void *before, const void *now, void *room,
		 size_t room_bytes)
{
	unsigned int from, to, kept = 0;
	struct wire_piece piece;
	uint8_t *at = room;
	size_t len = 0;

	while ((from = skip_equal(before, now, kept)) < PAGE) {
		to = piece_end(before, now, from);
		if (len + sizeof(piece) + to - from > room_bytes)
			return -ENOSPC;
		piece.keep = htole16(from - kept);
		piece.count = htole16(to - from);
		memcpy(at + len, &piece, sizeof(piece));
		len += sizeof(piece);
		memcpy(at + len, (const uint8_t *)now + from, to - from);
		len += to - from;
		kept = to;
	}
	return (int)len;
}

static int next_piece(struct reader *r, unsigned int *at, unsigned int *count,
		      const uint8_t **bytes)
{
	unsigned int keep = reader_u16(r);

	*count = reader_u16(r);
	if (r->error || !*count || (*at && !keep) ||
	    *at + keep + *count > PAGE)
		return -EBADMSG;
	*at += keep;
	*bytes = reader_take(r, *count);
	return *bytes ? 0 : -EBADMSG;
}

/* Check all, or do all. */
static int walk(uint8_t *page, const void *delta, size_t bytes)
{
	unsigned int at = 0, count;
	const uint8_t *from;
	struct reader r;

	reader_init(&r, delta, bytes);
	while (reader_left(&r)) {
		if (next_piece(&r, &at, &count, &from))
			return -EBADMSG;
		if (page)
			memcpy(page + at, from, count);
		at += count;
	}
	return reader_end(&r);
}

int delta_apply(void *page, const void *delta, size_t bytes)
{
	int rc = walk(NULL, delta, bytes);

	return rc ? rc : walk(page, delta, bytes);
}
