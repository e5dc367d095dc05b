/* SPDX-License-Identifier: GPL-2.0 */
/*
 * PACKED: a PAGES payload in fewer bytes.  Here is what the frame looks like
 * and which of them are possible at all; the codecs are behind migrate/pack.h.
 *
 *   0       1          4           8
 *   | codec |  0, 0, 0 | raw_bytes | compressed bytes ...
 *
 * They unpack to exactly @raw_bytes, a whole PAGES payload, and are fewer.
 */
#ifndef UMIG_WIRE_PACKED_H
#define UMIG_WIRE_PACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_PACKED_HEAD_BYTES 8

/**
 * enum wire_codec - How a PACKED's bytes are compressed.
 * @WIRE_CODEC_LZ4: one LZ4 block.
 * @WIRE_CODEC_ZSTD: one Zstandard frame, without a dictionary.
 */
enum wire_codec {
	WIRE_CODEC_LZ4 = 1,
	WIRE_CODEC_ZSTD = 2,
	WIRE_CODECS
};

#define WIRE_CODEC_BIT(codec) (1U << (codec))

/** struct packed_msg - A decoded PACKED, its bytes in place. */
struct packed_msg {
	uint8_t codec;
	uint32_t raw_bytes;
	const uint8_t *bytes;
	uint32_t nr;
};

/** wire_codecs_of_hello() - WIRE_CODEC_BIT() of what a HELLO's flags offer. */
unsigned int wire_codecs_of_hello(uint32_t flags);

/** wire_codec_name() - "lz4", ...; "unknown" for others. */
const char *wire_codec_name(unsigned int codec);

/** packed_head_encode() - Write WIRE_PACKED_HEAD_BYTES to @to. */
void packed_head_encode(void *to, uint8_t codec, uint32_t raw_bytes);

/**
 * packed_decode() - Take a PACKED from the wire, without unpacking it.
 *
 * Return: 0; -EBADMSG: no such codec, not the length of a PAGES payload, or
 * nothing saved.
 */
int packed_decode(struct packed_msg *m, const void *data, size_t bytes);

#endif
