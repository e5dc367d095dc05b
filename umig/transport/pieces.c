// SPDX-License-Identifier: GPL-2.0
/*
 * Frames in pieces: see pieces.h.
 */
#include "transport/pieces.h"

#include <assert.h>

void pieces_begin(struct pieces *p, uint8_t *own)
{
	p->first = p->nr = 0;
	p->own = own;
}

static void add(struct pieces *p, const void *from, size_t bytes)
{
	p->iov[p->nr++] = (struct iovec){ (void *)(uintptr_t)from, bytes };
}

/* Whether the bytes at @at, from @from, go on where the last piece ends. */
static bool extends(const struct pieces *p, const uint8_t *at,
		    const void *from)
{
	const struct iovec *last;

	if (!p->nr || at != p->own)
		return false;
	last = &p->iov[p->nr - 1];
	return (const uint8_t *)last->iov_base + last->iov_len == from;
}

bool pieces_borrow(struct pieces *p, uint8_t *at, const void *from,
		   size_t bytes)
{
	assert(at >= p->own);
	if (extends(p, at, from)) {
		p->iov[p->nr - 1].iov_len += bytes;
	} else {
		/* own ones before, these, own ones behind */
		if (p->nr + 3 > PIECES_MAX)
			return false;
		if (at > p->own)
			add(p, p->own, at - p->own);
		add(p, from, bytes);
	}
	p->own = at + bytes;
	return true;
}

void pieces_end(struct pieces *p, uint8_t *end)
{
	assert(end >= p->own);
	if (end > p->own)
		add(p, p->own, end - p->own);
	p->own = end;
}

void pieces_sent(struct pieces *p, size_t bytes)
{
	while (bytes) {
		struct iovec *iov = &p->iov[p->first];
		size_t n = bytes < iov->iov_len ? bytes : iov->iov_len;

		assert(p->first < p->nr);
		iov->iov_base = (uint8_t *)iov->iov_base + n;
		iov->iov_len -= n;
		bytes -= n;
		if (!iov->iov_len)
			p->first++;
	}
}
