// SPDX-License-Identifier: GPL-2.0
/*
 * Frames in records: see sealed.h.
 */
#include "transport/sealed.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

int sealed_seal_pieces(struct record_key *key, uint8_t *at, size_t frame_bytes,
		       const struct iovec *pieces, unsigned int nr)
{
	uint32_t length = htole32(frame_bytes);
	uint8_t *frame = at + SEALED_HEAD_BYTES;

	memcpy(at, &length, sizeof(length));
	return record_seal_pieces(key, at, SEALED_HEAD_BYTES, frame, pieces, nr,
				  frame + frame_bytes);
}

int sealed_seal(struct record_key *key, uint8_t *at, size_t frame_bytes)
{
	const struct iovec whole = { at + SEALED_HEAD_BYTES, frame_bytes };

	return sealed_seal_pieces(key, at, frame_bytes, &whole, 1);
}

int sealed_frame_bytes(const uint8_t *at, size_t *frame_bytes)
{
	uint32_t length;

	memcpy(&length, at, sizeof(length));
	*frame_bytes = le32toh(length);
	if (*frame_bytes < sizeof(struct wire_frame) ||
	    *frame_bytes > sizeof(struct wire_frame) + WIRE_PAYLOAD_MAX)
		return -EPROTO;
	return 0;
}

int sealed_open(struct record_key *key, uint8_t *at, size_t frame_bytes)
{
	uint8_t *frame = at + SEALED_HEAD_BYTES;

	return record_open(key, at, SEALED_HEAD_BYTES, frame, frame_bytes,
			   frame + frame_bytes);
}
