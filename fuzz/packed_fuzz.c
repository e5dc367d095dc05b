// SPDX-License-Identifier: GPL-2.0
/*
 * Unpacking what a peer packed.  The input is a PACKED payload; one whose first
 * byte has its top bit set is, without that byte, a payload to be packed and
 * unpacked again.  Nothing may be written outside of the room, nothing but a
 * payload of exactly the length said may come out, and what was packed must
 * come back.
 *
 * The libraries aren't instrumented, so bytes behind the room stand guard.
 */
#include <stdlib.h>
#include <string.h>

#include "migrate/pack.h"
#include "wire/frame.h"
#include "wire/pages.h"

#define GUARD 64
#define GUARD_BYTE 0xa5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct packer packer;
static struct unpacker unpacker;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return packer_init(&packer) || unpacker_init(&unpacker);
}

static uint8_t *guarded(size_t room)
{
	uint8_t *at = malloc(room + GUARD);

	memset(at, 0, room);
	memset(at + room, GUARD_BYTE, GUARD);
	return at;
}

static void check_guard(const uint8_t *at, size_t room)
{
	unsigned int i;

	for (i = 0; i < GUARD; i++)
		if (at[room + i] != GUARD_BYTE)
			abort();
}

static void read_pages(const uint8_t *payload, size_t bytes)
{
	struct pages_reader reader;
	struct pages_run run;

	if (pages_reader_init(&reader, payload, bytes))
		return;
	while (pages_reader_next(&reader, &run) == 1)
		;
}

/* Into as much room as it asks for, and into less. */
static void take(const uint8_t *data, size_t bytes)
{
	struct packed_msg m;
	uint8_t *room;
	size_t out;

	if (packed_decode(&m, data, bytes)) {
		if (!unpack(&unpacker, data, bytes, NULL, 0, &out))
			abort();
		return;
	}
	if (m.raw_bytes > WIRE_PAYLOAD_MAX || m.nr + 8 != bytes)
		abort();
	wire_codec_name(m.codec);
	room = guarded(m.raw_bytes);
	if (!unpack(&unpacker, data, bytes, room, m.raw_bytes, &out)) {
		if (out != m.raw_bytes)
			abort();
		read_pages(room, out);
	}
	if (!unpack(&unpacker, data, bytes, room, m.raw_bytes - 1, &out))
		abort();
	check_guard(room, m.raw_bytes);
	free(room);
}

static void there_and_back(struct pack_plan plan, const uint8_t *data,
			   size_t bytes)
{
	uint8_t *packed = guarded(bytes), *back = guarded(bytes);
	size_t n, out;

	if (!pack(&packer, plan, data, bytes, packed, bytes, &n)) {
		if (n >= bytes)
			abort();
		/* less than a PAGES payload is nothing that may come */
		if (!unpack(&unpacker, packed, n, back, bytes, &out) &&
		    (out != bytes || memcmp(back, data, bytes)))
			abort();
	}
	check_guard(packed, bytes);
	check_guard(back, bytes);
	free(packed);
	free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct pack_plan plan = { WIRE_CODEC_LZ4, 0 };

	if (!bytes || !(data[0] & 0x80)) {
		take(data, bytes);
		return 0;
	}
	there_and_back(plan, data + 1, bytes - 1);
	plan.codec = WIRE_CODEC_ZSTD;
	plan.level = data[0] & 7 ? data[0] & 7 : PACK_LEVEL_MAX;
	there_and_back(plan, data + 1, bytes - 1);
	return 0;
}
