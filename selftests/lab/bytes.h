/* SPDX-License-Identifier: GPL-2.0 */
/* A growing queue of bytes, for the lab's agent and hub. */
#ifndef UMIG_LAB_BYTES_H
#define UMIG_LAB_BYTES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
	uint8_t *data;
	size_t len;
	size_t room;
};

/* Neither program has anything left to do without memory. */
static inline void bytes_add(struct bytes *b, const void *data, size_t len)
{
	if (!len)
		return;
	if (b->len + len > b->room) {
		b->room = (b->len + len) * 2;
		b->data = realloc(b->data, b->room);
		if (!b->data) {
			fprintf(stderr, "out of memory\n");
			abort();
		}
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static inline void bytes_drop(struct bytes *b, size_t len)
{
	b->len -= len;
	memmove(b->data, b->data + len, b->len);
}

#endif
