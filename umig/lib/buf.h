/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A growing byte buffer with little-endian writers, and a bounded reader over
 * bytes that somebody else wrote.  Both are sticky on error, so that a
 * sequence of calls needs one check at its end.
 */
#ifndef UMIG_LIB_BUF_H
#define UMIG_LIB_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct buf - Bytes being written.  Zero-initialise.
 * @data: the bytes, owned.
 * @len: bytes in use.
 * @cap: bytes allocated.
 * @error: 0, or -ENOMEM from then on: further writes do nothing.
 */
struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	int error;
};

void buf_put(struct buf *b, const void *data, size_t bytes);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16(struct buf *b, uint16_t v);
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
/** buf_put_str() - u16 length, then the bytes without a NUL. */
void buf_put_str(struct buf *b, const char *s);
/** buf_reserve() - Append @bytes of room and return it, NULL on error. */
void *buf_reserve(struct buf *b, size_t bytes);
/** buf_reset() - Forget the bytes and the error, keep the room. */
void buf_reset(struct buf *b);
void buf_free(struct buf *b);

/**
 * struct reader - Bytes being read, from a peer that may lie.
 * @data: the bytes, borrowed.
 * @len: how many.
 * @pos: how many have been taken.
 * @error: 0, or -EBADMSG from the first read past the end on: reads return
 *	zeroes then.
 */
struct reader {
	const uint8_t *data;
	size_t len;
	size_t pos;
	int error;
};

void reader_init(struct reader *r, const void *data, size_t bytes);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
/** reader_get() - Copy @bytes out; zeroes on error. */
void reader_get(struct reader *r, void *to, size_t bytes);
/** reader_take() - A pointer to the next @bytes in place, NULL on error. */
const void *reader_take(struct reader *r, size_t bytes);
/**
 * reader_str() - u16 length and bytes into @to with a NUL.
 *
 * Longer than @room - 1, or with a NUL inside, is an error.
 */
void reader_str(struct reader *r, char *to, size_t room);
static inline size_t reader_left(const struct reader *r)
{
	return r->error ? 0 : r->len - r->pos;
}
/** reader_end() - 0 if all was read without error, else -EBADMSG. */
int reader_end(const struct reader *r);

#endif
