// SPDX-License-Identifier: GPL-2.0
/*
 * The wire's codecs: what is written is read back, and of what is torn,
 * lengthened, or out of bounds nothing is taken.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/frame.h"
#include "wire/hello.h"
#include "wire/msgs.h"
#include "wire/pages.h"
#include "wire/preface.h"

static void frame_header_round_trip(void **state)
{
	uint8_t bytes[16];
	struct wire_frame f;

	(void)state;
	wire_frame_encode(bytes, WIRE_PAGES, 1234, 77);
	assert_int_equal(wire_frame_decode(bytes, 77, &f), 0);
	assert_int_equal(f.type, WIRE_PAGES);
	assert_int_equal(f.length, 1234);
	/* length first, little endian: the layout is the protocol */
	assert_int_equal(bytes[0], 1234 & 0xff);
	assert_int_equal(bytes[4], WIRE_PAGES);
	assert_int_equal(bytes[8], 77);
}

static void frame_header_out_of_bounds_is_refused(void **state)
{
	uint8_t bytes[16];
	struct wire_frame f;

	(void)state;
	wire_frame_encode(bytes, WIRE_PAGES, 10, 5);
	assert_int_equal(wire_frame_decode(bytes, 6, &f), -EPROTO);
	wire_frame_encode(bytes, WIRE_TYPES, 10, 5);
	assert_int_equal(wire_frame_decode(bytes, 5, &f), -EPROTO);
	wire_frame_encode(bytes, 0, 10, 5);
	assert_int_equal(wire_frame_decode(bytes, 5, &f), -EPROTO);
	wire_frame_encode(bytes, WIRE_PAGES, WIRE_PAYLOAD_MAX + 1, 5);
	assert_int_equal(wire_frame_decode(bytes, 5, &f), -EPROTO);
	wire_frame_encode(bytes, WIRE_PAGES, WIRE_PAYLOAD_MAX, 5);
	assert_int_equal(wire_frame_decode(bytes, 5, &f), 0);
	bytes[6] = 1;
	assert_int_equal(wire_frame_decode(bytes, 5, &f), -EPROTO);
}

static void every_type_has_a_name(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 1; i < WIRE_TYPES; i++)
		assert_string_not_equal(wire_type_name(i), "unknown");
	assert_string_equal(wire_type_name(0), "unknown");
	assert_string_equal(wire_type_name(WIRE_TYPES), "unknown");
}

static void make_hello(struct hello *h)
{
	memset(h, 0, sizeof(*h));
	h->flags = WIRE_HELLO_SOURCE | WIRE_HELLO_DIGESTS;
	memset(h->key_id, 7, sizeof(h->key_id));
	assert_int_equal(memslots_add(&h->slots, 0, 100, NULL), 0);
	assert_int_equal(memslots_add(&h->slots, 0x100000, 50, NULL), 0);
	assert_int_equal(machine_set(&h->machine, "memory", "%d", 614400), 0);
	assert_int_equal(machine_set(&h->machine, "cpus", "2"), 0);
	assert_int_equal(machine_set_cpuid(&h->machine, "table", 5), 0);
}

static void hello_round_trip(void **state)
{
	struct hello h, got = { 0 };
	struct buf b = { 0 };
	struct err err = { 0 };

	(void)state;
	make_hello(&h);
	hello_encode(&h, &b);
	assert_int_equal(hello_decode(&got, b.data, b.len, &err), 0);
	assert_int_equal(got.flags, h.flags);
	assert_int_equal(got.slots.pages, 150);
	assert_int_equal(got.slots.slot[1].gfn, 0x100000);
	assert_string_equal(machine_get(&got.machine, "memory"), "614400");
	assert_int_equal(machine_compare(&h.machine, &got.machine, &err), 0);
	assert_int_equal(got.machine.cpuid_bytes, 5);
	assert_memory_equal(got.machine.cpuid, "table", 5);
	hello_free(&got);
	hello_free(&h);
	buf_free(&b);
}

static void torn_hello_is_refused_at_every_byte(void **state)
{
	struct hello h, got;
	struct buf b = { 0 };
	size_t n;

	(void)state;
	make_hello(&h);
	hello_encode(&h, &b);
	buf_put_u8(&b, 0);
	for (n = 0; n <= b.len; n++) {
		struct err err = { 0 };
		uint8_t *copy = malloc(n ? n : 1);

		if (n == b.len - 1) {	/* the whole hello */
			free(copy);
			continue;
		}
		memcpy(copy, b.data, n);
		memset(&got, 0, sizeof(got));
		assert_int_not_equal(hello_decode(&got, copy, n, &err), 0);
		assert_string_not_equal(err.text, "");
		hello_free(&got);
		free(copy);
	}
	hello_free(&h);
	buf_free(&b);
}

static void preface_round_trip(void **state)
{
	struct preface got, p = {
		.version = WIRE_VERSION + 3, .version_min = WIRE_VERSION,
		.mode = WIRE_MODE_SEALED, .status = WIRE_STATUS_OK,
		.length = 0x1234,
	};
	uint8_t bytes[WIRE_PREFACE_BYTES];

	(void)state;
	preface_encode(bytes, &p);
	assert_int_equal(preface_decode(&got, bytes), 0);
	assert_memory_equal(&got, &p, sizeof(p));
}

static void impossible_prefaces_are_refused(void **state)
{
	static const struct {
		unsigned int at;
		uint8_t value;
		int rc;
	} cases[] = {
		{ 0, 'u', -EPROTO },		/* magic */
		{ 8, 0, -EPROTO },		/* version below version_min */
		{ 10, 0, -EPROTO },		/* version_min 0 */
		{ 12, 0, -EPROTO },		/* mode */
		{ 12, 3, -EPROTO },
		{ 13, 0, -EPROTO },		/* status */
		{ 13, 3, -EPROTO },
	};
	struct preface got, p = {
		.version = WIRE_VERSION, .version_min = WIRE_VERSION_MIN,
		.mode = WIRE_MODE_PLAIN, .status = WIRE_STATUS_OK,
	};
	uint8_t bytes[WIRE_PREFACE_BYTES];
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		preface_encode(bytes, &p);
		bytes[cases[i].at] = cases[i].value;
		assert_int_equal(preface_decode(&got, bytes), cases[i].rc);
	}
	p.version = p.version_min = WIRE_VERSION + 1;
	preface_encode(bytes, &p);
	assert_int_equal(preface_decode(&got, bytes), -EPROTONOSUPPORT);
	assert_int_equal(got.version_min, WIRE_VERSION + 1);
}

static void abilities_round_trip(void **state)
{
	struct abilities got, a = {
		.version = WIRE_VERSION, .version_min = WIRE_VERSION_MIN,
		.ciphers = 6, .cipher = 2,
	};
	uint8_t bytes[WIRE_ABILITIES_BYTES];

	(void)state;
	abilities_encode(bytes, &a);
	assert_int_equal(abilities_decode(&got, bytes), 0);
	/* the rest is padding */
	assert_memory_equal(&got, &a, offsetof(struct abilities, cipher) + 1);
	bytes[WIRE_ABILITIES_BYTES - 1] = 1;
	assert_int_equal(abilities_decode(&got, bytes), -EPROTO);
}

/* Of this version there are none; a later one may offer some. */
static void unknown_features_are_refused(void **state)
{
	struct abilities got, a = {
		.version = WIRE_VERSION, .version_min = WIRE_VERSION_MIN,
		.features = 1, .ciphers = 6,
	};
	uint8_t bytes[WIRE_ABILITIES_BYTES];

	(void)state;
	abilities_encode(bytes, &a);
	assert_int_equal(abilities_decode(&got, bytes), -EPROTO);
	a.version++;
	abilities_encode(bytes, &a);
	assert_int_equal(abilities_decode(&got, bytes), 0);
	assert_int_equal(got.features, 1);
}

static void machines_differ_by_name(void **state)
{
	struct machine a = { 0 }, b = { 0 };
	struct err err = { 0 };

	(void)state;
	machine_set(&a, "cpus", "2");
	machine_set(&b, "cpus", "4");
	assert_int_equal(machine_compare(&a, &b, &err), -EXDEV);
	assert_non_null(strstr(err.text, "\"cpus\": source has 2, destination has 4"));
	b.nr = 0;
	machine_set(&b, "cpus", "2");
	machine_set(&b, "disk1", "x");
	memset(&err, 0, sizeof(err));
	assert_int_equal(machine_compare(&a, &b, &err), -EXDEV);
	assert_non_null(strstr(err.text, "\"disk1\": source has (none)"));
	assert_int_equal(machine_set(&a, "cpus", "3"), -EEXIST);
}

static void groups_differ(void **state)
{
	struct machine a = { 0 }, b = { 0 }, c = { 0 };
	struct err err = { 0 };
	struct buf buf = { 0 };
	struct reader in;

	(void)state;
	assert_null(machine_group(&a));
	machine_set(&b, MACHINE_GROUP, "web");
	assert_int_equal(machine_compare(&b, &a, &err), -EXDEV);
	assert_non_null(strstr(err.text, "\"group\": source has web, destination has (none)"));
	assert_int_equal(machine_compare(&a, &b, NULL), -EXDEV);
	machine_encode(&b, &buf);
	reader_init(&in, buf.data, buf.len);
	assert_int_equal(machine_decode(&c, &in), 0);
	assert_string_equal(machine_group(&c), "web");
	assert_int_equal(machine_compare(&b, &c, NULL), 0);
	machine_free(&c);
	buf_free(&buf);
}

/* Write @n pages with every third of another class, read them back. */
static void pages_round_trip(void **state)
{
	static uint8_t room[WIRE_PAYLOAD_MAX];
	struct pages_writer w;
	struct pages_reader r;
	struct pages_run run;
	uint64_t gfn = 0;
	uint32_t i;
	size_t len;
	void *at;

	(void)state;
	pages_writer_init(&w, room, 9);
	for (i = 0; i < 300; i++) {
		static const uint8_t classes[] = {
			WIRE_RUN_PLAIN, WIRE_RUN_HELD, WIRE_RUN_BRIEF,
		};
		uint8_t class = classes[i / 50 % 3];

		at = pages_writer_add(&w, 1000 + i, class);
		assert_non_null(at);
		memset(at, i, pages_payload_bytes(class));
	}
	len = pages_writer_end(&w);
	assert_int_equal(pages_reader_init(&r, room, len), 0);
	assert_int_equal(r.round, 9);
	assert_int_equal(r.left, 6);
	while (pages_reader_next(&r, &run) == 1) {
		assert_int_equal(run.gfn, 1000 + gfn);
		assert_int_equal(run.pages, 50);
		for (i = 0; i < run.pages; i++, gfn++)
			assert_int_equal(run.payload[i * pages_payload_bytes(
						 run.class)],
					 (uint8_t)gfn);
	}
	assert_int_equal(gfn, 300);
	assert_int_equal(pages_reader_next(&r, &run), 0);
}

static void full_payload_takes_a_batch_of_single_pages(void **state)
{
	static uint8_t room[WIRE_PAYLOAD_MAX];
	struct pages_writer w;
	uint32_t i;

	(void)state;
	pages_writer_init(&w, room, 1);
	for (i = 0; i < WIRE_BATCH_PAGES; i++)
		assert_non_null(pages_writer_add(&w, i * 2, WIRE_RUN_PLAIN));
	while (pages_writer_add(&w, i * 2, WIRE_RUN_PLAIN))
		i++;
	assert_true(w.len <= WIRE_PAYLOAD_MAX);
	assert_true(pages_writer_end(&w) <= WIRE_PAYLOAD_MAX);
}

static void long_runs_are_split_at_a_batch(void **state)
{
	static uint8_t room[WIRE_PAYLOAD_MAX];
	struct pages_writer w;
	struct pages_reader r;
	struct pages_run run;
	uint32_t i;

	(void)state;
	pages_writer_init(&w, room, 1);
	for (i = 0; i < 1000; i++)
		assert_non_null(pages_writer_add(&w, i, WIRE_RUN_HELD));
	for (i = 0; i < 100000; i++)
		assert_non_null(pages_writer_add(&w, 5000 + i, WIRE_RUN_ZERO));
	assert_int_equal(pages_reader_init(&r, room, pages_writer_end(&w)), 0);
	assert_int_equal(r.left, 3);
	assert_int_equal(pages_reader_next(&r, &run), 1);
	assert_int_equal(run.pages, WIRE_BATCH_PAGES);
	assert_int_equal(pages_reader_next(&r, &run), 1);
	assert_int_equal(run.pages, 1000 - WIRE_BATCH_PAGES);
	assert_int_equal(pages_reader_next(&r, &run), 1);
	assert_int_equal(run.pages, 100000);
}

/* One run as long as it can be counted, wherever its parts came from. */
static void zero_pages_are_written_by_runs(void **state)
{
	uint8_t *room = malloc(WIRE_PAYLOAD_MAX);
	struct pages_reader r;
	struct pages_writer w;
	struct pages_run run;

	(void)state;
	pages_writer_init(&w, room, 3);
	assert_true(pages_writer_add_zero(&w, 10, 600));
	assert_non_null(pages_writer_add(&w, 610, WIRE_RUN_ZERO));
	assert_true(pages_writer_add_zero(&w, 611, UINT32_MAX - 601));
	/* as many as can be said: another run */
	assert_true(pages_writer_add_zero(&w, 10ULL + UINT32_MAX, 5));
	/* not side by side */
	assert_true(pages_writer_add_zero(&w, 1, 2));
	assert_int_equal(pages_reader_init(&r, room, pages_writer_end(&w)), 0);
	assert_int_equal(pages_reader_next(&r, &run), 1);
	assert_int_equal(run.class, WIRE_RUN_ZERO);
	assert_int_equal(run.gfn, 10);
	assert_int_equal(run.pages, UINT32_MAX);
	assert_int_equal(pages_reader_next(&r, &run), 1);
	assert_int_equal(run.gfn, 10ULL + UINT32_MAX);
	assert_int_equal(run.pages, 5);
	assert_int_equal(pages_reader_next(&r, &run), 1);
	assert_int_equal(run.gfn, 1);
	assert_int_equal(run.pages, 2);
	assert_int_equal(pages_reader_next(&r, &run), 0);
	free(room);
}

static void a_full_payload_takes_no_zero_page(void **state)
{
	uint8_t *room = malloc(WIRE_PAYLOAD_MAX);
	struct pages_writer w;
	uint64_t gfn = 0;

	(void)state;
	pages_writer_init(&w, room, 3);
	while (pages_writer_add_zero(&w, gfn, 1))
		gfn += 2;
	assert_true(w.len <= WIRE_PAYLOAD_MAX);
	assert_true(w.len + sizeof(struct wire_run) > WIRE_PAYLOAD_MAX);
	/* what goes on where the last ended needs no room */
	assert_true(pages_writer_add_zero(&w, gfn - 1, 7));
	assert_int_equal(pages_writer_end(&w), w.len);
	free(room);
}

static void torn_pages_are_refused_at_every_byte(void **state)
{
	static uint8_t room[WIRE_PAYLOAD_MAX];
	struct pages_writer w;
	size_t len, n;

	(void)state;
	pages_writer_init(&w, room, 1);
	memset(pages_writer_add(&w, 1, WIRE_RUN_HELD), 0, 20);
	memset(pages_writer_add(&w, 2, WIRE_RUN_HELD), 0, 20);
	memset(pages_writer_add(&w, 9, WIRE_RUN_DUPLICATE), 0, 16);
	pages_writer_add(&w, 10, WIRE_RUN_ZERO);
	len = pages_writer_end(&w);
	for (n = 0; n < len; n++) {
		uint8_t *copy = malloc(n ? n : 1);
		struct pages_reader r;
		struct pages_run run;
		int rc;

		memcpy(copy, room, n);
		rc = pages_reader_init(&r, copy, n);
		while (!rc && (rc = pages_reader_next(&r, &run)) == 1)
			rc = 0;
		assert_int_equal(rc, -EBADMSG);
		free(copy);
	}
}

static void small_messages_round_trip_and_refuse_other_lengths(void **state)
{
	uint8_t room[20000], digests[512 * 32], bitmap[64];
	uint64_t gfns[3] = { 1, 2, 0x123456789aULL };
	uint8_t nonce[MSG_NONCE_BYTES] = "a nonce of 16 by";
	struct offer_msg offer;
	struct answer_msg answer;
	struct refused_msg refused;
	struct state_msg st;
	const uint8_t *at;
	uint64_t ns;
	uint32_t n;
	size_t len;

	(void)state;
	memset(digests, 5, sizeof(digests));
	memset(bitmap, 0xaa, sizeof(bitmap));
	len = msg_offer_encode(room, 100, 512, digests);
	assert_int_equal(msg_offer_decode(&offer, room, len), 0);
	assert_int_equal(offer.first, 100);
	assert_memory_equal(offer.array, digests, sizeof(digests));
	assert_int_equal(msg_offer_decode(&offer, room, len - 1), -EBADMSG);
	assert_int_equal(msg_offer_decode(&offer, room, len + 1), -EBADMSG);
	len = msg_offer_encode(room, 0, 0, digests);
	assert_int_equal(msg_offer_decode(&offer, room, len), -EBADMSG);

	len = msg_answer_encode(room, 3, 9, nonce, bitmap);
	assert_int_equal(len, 8 + 16 + 2);
	assert_int_equal(msg_answer_decode(&answer, room, len), 0);
	assert_int_equal(answer.first, 3);
	assert_int_equal(answer.count, 9);
	assert_memory_equal(answer.nonce, nonce, sizeof(nonce));
	assert_memory_equal(answer.bitmap, bitmap, 2);
	for (n = 0; n < len; n++)
		assert_int_equal(msg_answer_decode(&answer, room, n),
				 -EBADMSG);
	assert_int_equal(msg_answer_decode(&answer, room, len + 1), -EBADMSG);
	len = msg_answer_encode(room, 3, 513, nonce, digests);
	assert_int_equal(msg_answer_decode(&answer, room, len), -EBADMSG);
	len = msg_answer_encode(room, 3, 0, nonce, bitmap);
	assert_int_equal(msg_answer_decode(&answer, room, len), -EBADMSG);

	len = msg_refused_encode(room, 4, gfns, 3);
	assert_int_equal(msg_refused_decode(&refused, room, len), 0);
	assert_int_equal(msg_refused_gfn(&refused, 2), gfns[2]);
	assert_int_equal(msg_refused_decode(&refused, room, len - 8),
			 -EBADMSG);

	len = msg_started_encode(room, 0x123456789abcULL);
	assert_int_equal(msg_started_decode(&ns, room, len), 0);
	assert_true(ns == 0x123456789abcULL);
	assert_int_equal(msg_started_decode(&ns, room, 0), 0);
	assert_true(!ns);
	assert_int_equal(msg_started_decode(&ns, room, 7), -EBADMSG);
	assert_int_equal(msg_started_decode(&ns, room, 9), -EBADMSG);
	len = msg_round_encode(room, 8);
	assert_int_equal(msg_round_decode(&n, room, len), 0);
	assert_int_equal(n, 8);
	assert_int_equal(msg_round_decode(&n, room, len - 1), -EBADMSG);

	len = msg_state_encode(room, 10, 6, "abcd", 4);
	assert_int_equal(msg_state_decode(&st, room, len), 0);
	assert_int_equal(st.nr, 4);
	len = msg_state_encode(room, 10, 7, "abcd", 4);
	assert_int_equal(msg_state_decode(&st, room, len), -EBADMSG);
	len = msg_state_encode(room, UINT32_MAX, 7, "abcd", 4);
	assert_int_equal(msg_state_decode(&st, room, len), -EBADMSG);

	len = msg_digests_encode(room, digests, 2);
	assert_int_equal(msg_digests_decode(&at, &n, room, len), 0);
	assert_int_equal(n, 2);
	assert_int_equal(msg_digests_decode(&at, &n, room, len - 1),
			 -EBADMSG);
	memset(room, 0xff, 4);
	assert_int_equal(msg_digests_decode(&at, &n, room, len), -EBADMSG);
}

static void peers_text_is_made_printable(void **state)
{
	char text[WIRE_TEXT_MAX + 1];
	char evil[2 * WIRE_TEXT_MAX];

	(void)state;
	msg_text_decode(text, "a\033[2Jb\n", 7);
	assert_string_equal(text, "a?[2Jb?");
	memset(evil, 'x', sizeof(evil));
	msg_text_decode(text, evil, sizeof(evil));
	assert_int_equal(strlen(text), WIRE_TEXT_MAX);
}

static void channels_round_trip_and_refuse_nonsense(void **state)
{
	uint8_t token[WIRE_TOKEN_BYTES], room[64];
	uint32_t n;
	size_t len = msg_channels_encode(room, 3, (const uint8_t[16]){ 9 });

	(void)state;
	assert_int_equal(len, sizeof(struct wire_channels));
	assert_int_equal(msg_channels_decode(&n, token, room, len), 0);
	assert_int_equal(n, 3);
	assert_int_equal(token[0], 9);
	assert_int_equal(msg_channels_decode(&n, token, room, len - 1),
			 -EBADMSG);
	room[4] = 1;	/* reserved */
	assert_int_equal(msg_channels_decode(&n, token, room, len), -EBADMSG);
	room[4] = 0;
	room[0] = 0;
	assert_int_equal(msg_channels_decode(&n, token, room, len), -EBADMSG);
	room[0] = WIRE_CHANNELS_MAX + 1;
	assert_int_equal(msg_channels_decode(&n, token, room, len), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_header_round_trip),
		cmocka_unit_test(channels_round_trip_and_refuse_nonsense),
		cmocka_unit_test(frame_header_out_of_bounds_is_refused),
		cmocka_unit_test(every_type_has_a_name),
		cmocka_unit_test(hello_round_trip),
		cmocka_unit_test(torn_hello_is_refused_at_every_byte),
		cmocka_unit_test(preface_round_trip),
		cmocka_unit_test(impossible_prefaces_are_refused),
		cmocka_unit_test(abilities_round_trip),
		cmocka_unit_test(unknown_features_are_refused),
		cmocka_unit_test(machines_differ_by_name),
		cmocka_unit_test(groups_differ),
		cmocka_unit_test(pages_round_trip),
		cmocka_unit_test(full_payload_takes_a_batch_of_single_pages),
		cmocka_unit_test(long_runs_are_split_at_a_batch),
		cmocka_unit_test(zero_pages_are_written_by_runs),
		cmocka_unit_test(a_full_payload_takes_no_zero_page),
		cmocka_unit_test(torn_pages_are_refused_at_every_byte),
		cmocka_unit_test(small_messages_round_trip_and_refuse_other_lengths),
		cmocka_unit_test(peers_text_is_made_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
