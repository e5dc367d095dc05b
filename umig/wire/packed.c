// SPDX-License-Identifier: GPL-2.0
/*
 * PACKED payloads: see packed.h.
 */
#include "wire/packed.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "lib/buf.h"
#include "wire/frame.h"
#include "wire/hello.h"

/* The least that a PAGES payload is. */
#define RAW_MIN (sizeof(struct wire_pages) + sizeof(struct wire_run))

static const char *const wire_codec_names[] = {
	[WIRE_CODEC_LZ4] = "lz4",
	[WIRE_CODEC_ZSTD] = "zstd",
};

_Static_assert(sizeof(wire_codec_names) / sizeof(wire_codec_names[0]) ==
	       WIRE_CODECS, "a name for each codec");
_Static_assert(sizeof(struct wire_packed) == WIRE_PACKED_HEAD_BYTES, "wire");

const char *wire_codec_name(unsigned int codec)
{
	return codec && codec < WIRE_CODECS ? wire_codec_names[codec] :
					      "unknown";
}

unsigned int wire_codecs_of_hello(uint32_t flags)
{
	return (flags & WIRE_HELLO_LZ4 ? WIRE_CODEC_BIT(WIRE_CODEC_LZ4) : 0) |
	       (flags & WIRE_HELLO_ZSTD ? WIRE_CODEC_BIT(WIRE_CODEC_ZSTD) : 0);
}

void packed_head_encode(void *to, uint8_t codec, uint32_t raw_bytes)
{
	struct wire_packed head = {
		.codec = codec,
		.raw_bytes = htole32(raw_bytes),
	};

	memcpy(to, &head, sizeof(head));
}

int packed_decode(struct packed_msg *m, const void *data, size_t bytes)
{
	uint8_t reserved[3];
	struct reader r;

	reader_init(&r, data, bytes);
	m->codec = reader_u8(&r);
	reader_get(&r, reserved, sizeof(reserved));
	m->raw_bytes = reader_u32(&r);
	m->nr = reader_left(&r);
	m->bytes = reader_take(&r, m->nr);
	if (r.error || !m->codec || m->codec >= WIRE_CODECS ||
	    reserved[0] | reserved[1] | reserved[2])
		return -EBADMSG;
	if (m->raw_bytes < RAW_MIN || m->raw_bytes > WIRE_PAYLOAD_MAX ||
	    !m->nr || bytes >= m->raw_bytes)
		return -EBADMSG;
	return 0;
}
