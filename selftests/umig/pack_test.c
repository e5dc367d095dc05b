// SPDX-License-Identifier: GPL-2.0
/*
 * Packing: what is packed unpacks to the same bytes; what doesn't get smaller
 * is left alone; and of what a peer makes up, nothing is taken that isn't
 * exactly one payload.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>
#include <zstd.h>

#include "migrate/pack.h"
#include "wire/frame.h"
#include "wire/pages.h"

#define HEAD WIRE_PACKED_HEAD_BYTES

static const struct pack_plan plans[] = {
	{ WIRE_CODEC_LZ4, 0 },
	{ WIRE_CODEC_ZSTD, PACK_LEVEL_MIN },
	{ WIRE_CODEC_ZSTD, 3 },
	{ WIRE_CODEC_ZSTD, PACK_LEVEL_MAX },
};

#define PLANS (sizeof(plans) / sizeof(plans[0]))

/* struct fixture - Contexts, and room for three payloads. */
struct fixture {
	struct packer packer;
	struct unpacker unpacker;
	uint8_t *raw, *packed, *got;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->raw = calloc(1, WIRE_PAYLOAD_MAX);
	f->packed = malloc(WIRE_PAYLOAD_MAX);
	f->got = malloc(WIRE_PAYLOAD_MAX);
	*state = f;
	return sodium_init() < 0 || packer_init(&f->packer) ||
	       unpacker_init(&f->unpacker);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	packer_exit(&f->packer);
	unpacker_exit(&f->unpacker);
	free(f->raw);
	free(f->packed);
	free(f->got);
	free(f);
	return 0;
}

/* A full batch of pages, @noise bytes of each random. */
static size_t make_payload(struct fixture *f, size_t noise)
{
	struct pages_writer w;
	uint64_t gfn = 0;
	uint8_t *at;

	pages_writer_init(&w, f->raw, 1);
	while ((at = pages_writer_add(&w, gfn++, WIRE_RUN_PLAIN))) {
		memset(at, (int)gfn, 4096);
		randombytes_buf(at, noise);
	}
	return pages_writer_end(&w);
}

static void what_is_packed_unpacks_to_the_same(void **state)
{
	struct fixture *f = *state;
	size_t bytes = make_payload(f, 1000), packed, got, i;

	for (i = 0; i < PLANS; i++) {
		assert_int_equal(pack(&f->packer, plans[i], f->raw, bytes,
				      f->packed, bytes, &packed), 0);
		assert_true(packed < bytes / 3);
		assert_int_equal(unpack(&f->unpacker, f->packed, packed,
					f->got, bytes, &got), 0);
		assert_int_equal(got, bytes);
		assert_memory_equal(f->got, f->raw, bytes);
	}
}

/* Contexts carry nothing from one batch to the next. */
static void batches_stand_alone(void **state)
{
	struct fixture *f = *state;
	size_t bytes = make_payload(f, 100), first, again, i;
	uint8_t *copy = malloc(bytes);

	for (i = 0; i < PLANS; i++) {
		assert_int_equal(pack(&f->packer, plans[i], f->raw, bytes,
				      f->packed, bytes, &first), 0);
		memcpy(copy, f->packed, first);
		assert_int_equal(pack(&f->packer, plans[i], f->raw, 5000,
				      f->got, bytes, &again), 0);
		assert_int_equal(pack(&f->packer, plans[i], f->raw, bytes,
				      f->packed, bytes, &again), 0);
		assert_int_equal(first, again);
		assert_memory_equal(copy, f->packed, first);
	}
	free(copy);
}

static void what_does_not_shrink_is_left_alone(void **state)
{
	struct fixture *f = *state;
	size_t out, i;

	randombytes_buf(f->raw, 1 << 20);
	for (i = 0; i < PLANS; i++)
		assert_int_equal(pack(&f->packer, plans[i], f->raw, 1 << 20,
				      f->packed, 1 << 20, &out), -ENOSPC);
	/* by 1 part in 64: not worth it */
	memset(f->raw, 0, 1 << 14);
	for (i = 0; i < PLANS; i++)
		assert_int_equal(pack(&f->packer, plans[i], f->raw, 1 << 20,
				      f->packed, 1 << 20, &out), -ENOSPC);
	/* by 1 part in 16: it is */
	memset(f->raw, 0, 1 << 16);
	for (i = 0; i < PLANS; i++)
		assert_int_equal(pack(&f->packer, plans[i], f->raw, 1 << 20,
				      f->packed, 1 << 20, &out), 0);
}

/* Blocks of their own, so that ASan sees any byte too far. */
static void room_is_kept_to(void **state)
{
	struct fixture *f = *state;
	size_t bytes = make_payload(f, 500), need, room, out, i;
	uint8_t *tight;

	for (i = 0; i < PLANS; i++) {
		assert_int_equal(pack(&f->packer, plans[i], f->raw, bytes,
				      f->packed, bytes, &need), 0);
		for (room = 0; room < need; room += room < 40 ? 1 : 9999) {
			tight = malloc(room ? room : 1);
			assert_int_equal(pack(&f->packer, plans[i], f->raw,
					      bytes, tight, room, &out),
					 -ENOSPC);
			free(tight);
		}
		assert_int_equal(unpack(&f->unpacker, f->packed, need, f->got,
					bytes - 1, &out), -ENOSPC);
	}
	for (room = 0; room < 30; room++)
		for (i = 0; i < PLANS; i++)
			pack(&f->packer, plans[i], f->raw, room, f->packed,
			     bytes, &out);
}

static int unpack_exactly(struct fixture *f, const void *data, size_t bytes)
{
	size_t raw = 0, out;
	uint8_t *copy = malloc(bytes ? bytes : 1), *room;
	int rc;

	memcpy(copy, data, bytes);
	if (bytes >= HEAD)
		raw = copy[4] | copy[5] << 8 | copy[6] << 16;
	room = malloc(raw ? raw : 1);
	rc = unpack(&f->unpacker, copy, bytes, room, raw, &out);
	free(room);
	free(copy);
	return rc;
}

static void heads_out_of_bounds_are_refused(void **state)
{
	struct fixture *f = *state;
	struct packed_msg m;
	uint8_t head[100] = { 0 };
	unsigned int i;

	packed_head_encode(head, WIRE_CODEC_LZ4, 4096);
	assert_int_equal(packed_decode(&m, head, sizeof(head)), 0);
	assert_int_equal(m.nr, sizeof(head) - HEAD);
	for (i = 0; i <= HEAD; i++)
		assert_int_equal(unpack_exactly(f, head, i), -EBADMSG);
	for (i = 1; i < 4; i++) {
		head[i] = 1;
		assert_int_equal(packed_decode(&m, head, 100), -EBADMSG);
		head[i] = 0;
	}
	packed_head_encode(head, 0, 4096);
	assert_int_equal(packed_decode(&m, head, 100), -EBADMSG);
	packed_head_encode(head, WIRE_CODECS, 4096);
	assert_int_equal(packed_decode(&m, head, 100), -EBADMSG);
	packed_head_encode(head, WIRE_CODEC_ZSTD, WIRE_PAYLOAD_MAX + 1);
	assert_int_equal(packed_decode(&m, head, 100), -EBADMSG);
	/* no smaller than what it stands for */
	packed_head_encode(head, WIRE_CODEC_ZSTD, 100);
	assert_int_equal(packed_decode(&m, head, 100), -EBADMSG);
	packed_head_encode(head, WIRE_CODEC_ZSTD, 101);
	assert_int_equal(packed_decode(&m, head, 100), 0);
	/* less than any PAGES payload */
	packed_head_encode(head, WIRE_CODEC_ZSTD, 23);
	assert_int_equal(packed_decode(&m, head, 20), -EBADMSG);
}

static void another_length_than_said_is_refused(void **state)
{
	struct fixture *f = *state;
	size_t bytes = make_payload(f, 50), n, i;

	for (i = 0; i < PLANS; i++) {
		assert_int_equal(pack(&f->packer, plans[i], f->raw, bytes,
				      f->packed, bytes, &n), 0);
		assert_int_equal(unpack_exactly(f, f->packed, n), 0);
		packed_head_encode(f->packed, plans[i].codec, bytes - 1);
		assert_int_equal(unpack_exactly(f, f->packed, n), -EBADMSG);
		packed_head_encode(f->packed, plans[i].codec, bytes + 1);
		assert_int_equal(unpack_exactly(f, f->packed, n), -EBADMSG);
		packed_head_encode(f->packed, plans[i].codec, bytes);
		assert_int_equal(unpack_exactly(f, f->packed, n - 1), -EBADMSG);
		f->packed[n] = 0;
		assert_int_equal(unpack_exactly(f, f->packed, n + 1), -EBADMSG);
		/* the one codec's bytes under the other's name */
		f->packed[0] ^= WIRE_CODEC_LZ4 ^ WIRE_CODEC_ZSTD;
		assert_int_equal(unpack_exactly(f, f->packed, n), -EBADMSG);
	}
}

static void flipped_bits_never_reach_past_the_room(void **state)
{
	struct fixture *f = *state;
	size_t bytes = 8192, n, i, k;

	make_payload(f, 300);
	for (i = 0; i < PLANS; i++) {
		assert_int_equal(pack(&f->packer, plans[i], f->raw, bytes,
				      f->packed, bytes, &n), 0);
		for (k = 0; k < n * 8; k++) {
			f->packed[k / 8] ^= 1 << k % 8;
			unpack_exactly(f, f->packed, n);
			f->packed[k / 8] ^= 1 << k % 8;
		}
	}
}

/* What the library itself would take, and the protocol doesn't. */
static void only_one_standard_frame_is_taken(void **state)
{
	static const uint8_t skip[8] = { 0x50, 0x2a, 0x4d, 0x18 };
	static const uint8_t legacy[4] = { 0x27, 0xb5, 0x2f, 0xfd };
	struct fixture *f = *state;
	size_t half;
	uint8_t *at = f->packed + HEAD;

	make_payload(f, 0);
	half = ZSTD_compress(at, 4096, f->raw, 4096, 1);
	packed_head_encode(f->packed, WIRE_CODEC_ZSTD, 4096);
	assert_int_equal(unpack_exactly(f, f->packed, HEAD + half), 0);
	/* two frames */
	memcpy(at + half, at, half);
	packed_head_encode(f->packed, WIRE_CODEC_ZSTD, 8192);
	assert_int_equal(unpack_exactly(f, f->packed, HEAD + 2 * half),
			 -EBADMSG);
	/* a frame to skip behind it, or before */
	packed_head_encode(f->packed, WIRE_CODEC_ZSTD, 4096);
	memcpy(at + half, skip, sizeof(skip));
	assert_int_equal(unpack_exactly(f, f->packed, HEAD + half + 8),
			 -EBADMSG);
	memmove(at + 8, at, half);
	memcpy(at, skip, sizeof(skip));
	assert_int_equal(unpack_exactly(f, f->packed, HEAD + half + 8),
			 -EBADMSG);
	/* an old format's name */
	memcpy(at, legacy, sizeof(legacy));
	assert_int_equal(unpack_exactly(f, f->packed, HEAD + half), -EBADMSG);
}

static void every_codec_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(wire_codec_name(WIRE_CODEC_LZ4), "lz4");
	assert_string_equal(wire_codec_name(WIRE_CODEC_ZSTD), "zstd");
	assert_string_equal(wire_codec_name(0), "unknown");
	assert_string_equal(wire_codec_name(WIRE_CODECS), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_packed_unpacks_to_the_same),
		cmocka_unit_test(batches_stand_alone),
		cmocka_unit_test(what_does_not_shrink_is_left_alone),
		cmocka_unit_test(room_is_kept_to),
		cmocka_unit_test(heads_out_of_bounds_are_refused),
		cmocka_unit_test(another_length_than_said_is_refused),
		cmocka_unit_test(flipped_bits_never_reach_past_the_room),
		cmocka_unit_test(only_one_standard_frame_is_taken),
		cmocka_unit_test(every_codec_has_a_name),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
