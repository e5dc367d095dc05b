// SPDX-License-Identifier: GPL-2.0
/*
 * Frame headers: see frame.h.
 */
#include "wire/frame.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

static const char *const wire_type_names[] = {
	[WIRE_HELLO] = "HELLO",
	[WIRE_ERROR] = "ERROR",
	[WIRE_CANCEL] = "CANCEL",
	[WIRE_KEEPALIVE] = "KEEPALIVE",
	[WIRE_OFFER] = "OFFER",
	[WIRE_ANSWER] = "ANSWER",
	[WIRE_PAGES] = "PAGES",
	[WIRE_REFUSED] = "REFUSED",
	[WIRE_ROUND_END] = "ROUND_END",
	[WIRE_ROUND_ACK] = "ROUND_ACK",
	[WIRE_STATE] = "STATE",
	[WIRE_VERIFY] = "VERIFY",
	[WIRE_DIGESTS] = "DIGESTS",
	[WIRE_PREPARE] = "PREPARE",
	[WIRE_READY] = "READY",
	[WIRE_GO] = "GO",
	[WIRE_STARTED] = "STARTED",
	[WIRE_NOT_STARTED] = "NOT_STARTED",
	[WIRE_PACKED] = "PACKED",
	[WIRE_CHANNELS] = "CHANNELS",
	[WIRE_JOIN] = "JOIN",
};

_Static_assert(sizeof(wire_type_names) / sizeof(wire_type_names[0]) ==
	       WIRE_TYPES, "a name for each type");

const char *wire_type_name(unsigned int type)
{
	return type && type < WIRE_TYPES ? wire_type_names[type] : "unknown";
}

void wire_frame_encode(void *to, uint16_t type, uint32_t length,
		       uint64_t sequence)
{
	struct wire_frame f = {
		.length = htole32(length),
		.type = htole16(type),
		.sequence = htole64(sequence),
	};

	memcpy(to, &f, sizeof(f));
}

int wire_frame_decode(const void *from, uint64_t sequence,
		      struct wire_frame *out)
{
	struct wire_frame f;

	memcpy(&f, from, sizeof(f));
	out->length = le32toh(f.length);
	out->type = le16toh(f.type);
	out->flags = le16toh(f.flags);
	out->sequence = le64toh(f.sequence);
	if (!out->type || out->type >= WIRE_TYPES || out->flags ||
	    out->length > WIRE_PAYLOAD_MAX || out->sequence != sequence)
		return -EPROTO;
	return 0;
}
