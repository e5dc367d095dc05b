// SPDX-License-Identifier: GPL-2.0
/*
 * Messages there and back: what a decoder takes, the encoder gives back, byte
 * for byte (PAGES: page for page, since runs may be joined).  The first byte
 * chooses the message, the second whether the rest is its payload or what an
 * honest one is made of, with some bytes changed behind it.
 *
 *   type 1 | made 1 | payload
 *   type 1 | made 1 | length 1 | what it is made of | { position 1, xor 1 }...
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "wire/frame.h"
#include "wire/hello.h"
#include "wire/msgs.h"
#include "wire/pages.h"

#define ROOM WIRE_PAYLOAD_MAX

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static uint8_t room[ROOM];

/* The encoder's output in @room has to be what was decoded. */
static void same(const void *data, size_t bytes, size_t encoded)
{
	assert(encoded == bytes && !memcmp(room, data, bytes));
}

static void hello(const uint8_t *data, size_t bytes)
{
	struct machine here = { 0 };
	struct hello h = { 0 };
	struct err err = { 0 };
	struct buf out = { 0 };

	machine_set(&here, "cpus", "1");
	machine_set(&here, "disk", "none");
	if (!hello_decode(&h, data, bytes, &err)) {
		hello_encode(&h, &out);
		assert(out.len == bytes && !memcmp(out.data, data, bytes));
		machine_compare(&h.machine, &here, &err);
		machine_compare(&here, &h.machine, &err);
		assert(!machine_compare(&h.machine, &h.machine, NULL));
	} else {
		assert(err.code && err.text[0]);
	}
	buf_free(&out);
	hello_free(&h);
	machine_free(&here);
}

/* struct page - One page of a PAGES payload. */
struct page {
	uint64_t gfn;
	uint8_t class;
	const uint8_t *payload;
	const uint8_t *delta;
	uint16_t delta_bytes;
	uint32_t base;
};

/* The pages in turn; their number, 0: malformed, or too many to write down. */
static unsigned int flatten(struct page page[WIRE_BATCH_PAGES],
			    uint32_t *round, const void *data, size_t bytes)
{
	struct pages_reader r;
	struct pages_run run = { 0 };
	unsigned int nr = 0;
	uint32_t i;
	int ret;

	if (pages_reader_init(&r, data, bytes))
		return 0;
	*round = r.round;
	while ((ret = pages_reader_next(&r, &run)) > 0) {
		long step = pages_payload_bytes(run.class);

		assert(step >= 0 && run.pages);
		if (run.pages > WIRE_BATCH_PAGES - nr)
			return 0;
		for (i = 0; i < run.pages; i++)
			page[nr++] = (struct page){
				.gfn = run.gfn + i,
				.class = run.class,
				.payload = step ? run.payload + i * step : NULL,
				.delta = run.delta,
				.delta_bytes = run.delta_bytes,
				.base = run.base,
			};
	}
	return ret < 0 ? 0 : nr;
}

static size_t write_pages(const struct page *page, unsigned int nr,
			  uint32_t round)
{
	struct pages_writer w;
	unsigned int i;

	pages_writer_init(&w, room, round);
	for (i = 0; i < nr; i++) {
		long step = pages_payload_bytes(page[i].class);
		void *to;

		if (page[i].class == WIRE_RUN_DELTA) {
			assert(pages_writer_add_delta(&w, page[i].gfn,
						      page[i].base,
						      page[i].delta,
						      page[i].delta_bytes));
			continue;
		}
		to = pages_writer_add(&w, page[i].gfn, page[i].class);
		if (step)
			memcpy(to, page[i].payload, step);
		if (page[i].gfn % 5 == 4)
			pages_writer_break(&w);
	}
	return pages_writer_end(&w);
}

static void pages(const uint8_t *data, size_t bytes)
{
	static struct page page[WIRE_BATCH_PAGES], again[WIRE_BATCH_PAGES];
	uint32_t round, round_again;
	unsigned int nr = flatten(page, &round, data, bytes), i;
	size_t len;

	if (!nr)
		return;
	len = write_pages(page, nr, round);
	assert(flatten(again, &round_again, room, len) == nr);
	assert(round_again == round);
	for (i = 0; i < nr; i++) {
		assert(again[i].gfn == page[i].gfn);
		assert(again[i].class == page[i].class);
		assert(!page[i].payload ||
		       !memcmp(again[i].payload, page[i].payload,
			       pages_payload_bytes(page[i].class)));
		assert(page[i].class != WIRE_RUN_DELTA ||
		       !memcmp(again[i].delta, page[i].delta,
			       page[i].delta_bytes));
	}
}

static void refused(const uint8_t *data, size_t bytes)
{
	uint64_t gfns[WIRE_BATCH_PAGES];
	struct refused_msg m;
	uint32_t i;

	if (msg_refused_decode(&m, data, bytes))
		return;
	for (i = 0; i < m.count; i++)
		gfns[i] = msg_refused_gfn(&m, i);
	same(data, bytes, msg_refused_encode(room, m.round, gfns, m.count));
}

static void offer(const uint8_t *data, size_t bytes)
{
	struct offer_msg m;

	if (!msg_offer_decode(&m, data, bytes))
		same(data, bytes, msg_offer_encode(room, m.first, m.count,
						   m.array));
}

static void answer(const uint8_t *data, size_t bytes)
{
	struct answer_msg m;

	if (!msg_answer_decode(&m, data, bytes))
		same(data, bytes, msg_answer_encode(room, m.first, m.count,
						    m.nonce, m.bitmap));
}

static void started(const uint8_t *data, size_t bytes)
{
	uint64_t start_ns;

	if (!msg_started_decode(&start_ns, data, bytes) && bytes)
		same(data, bytes, msg_started_encode(room, start_ns));
}

static void channels(const uint8_t *data, size_t bytes)
{
	uint8_t token[WIRE_TOKEN_BYTES];
	uint32_t number;

	if (!msg_channels_decode(&number, token, data, bytes))
		same(data, bytes, msg_channels_encode(room, number, token));
}

static void round_end(const uint8_t *data, size_t bytes)
{
	uint32_t round;

	if (!msg_round_decode(&round, data, bytes))
		same(data, bytes, msg_round_encode(room, round));
}

static void state(const uint8_t *data, size_t bytes)
{
	struct state_msg m;

	if (!msg_state_decode(&m, data, bytes))
		same(data, bytes, msg_state_encode(room, m.total, m.offset,
						   m.bytes, m.nr));
}

static void digests(const uint8_t *data, size_t bytes)
{
	const uint8_t *array;
	uint32_t count;

	if (!msg_digests_decode(&array, &count, data, bytes))
		same(data, bytes, msg_digests_encode(room, array, count));
}

static void text(const uint8_t *data, size_t bytes)
{
	char to[WIRE_TEXT_MAX + 1];

	msg_text_decode(to, data, bytes);
	assert(strlen(to) <= WIRE_TEXT_MAX);
}

static void feed(uint8_t type, const uint8_t *data, size_t bytes)
{
	switch (type % WIRE_TYPES) {
	case WIRE_HELLO:
		return hello(data, bytes);
	case WIRE_OFFER:
		return offer(data, bytes);
	case WIRE_ANSWER:
		return answer(data, bytes);
	case WIRE_PAGES:
		return pages(data, bytes);
	case WIRE_REFUSED:
		return refused(data, bytes);
	case WIRE_ROUND_END:
		return round_end(data, bytes);
	case WIRE_STARTED:
		return started(data, bytes);
	case WIRE_CHANNELS:
	case WIRE_JOIN:
		return channels(data, bytes);
	case WIRE_STATE:
		return state(data, bytes);
	case WIRE_DIGESTS:
		return digests(data, bytes);
	default:
		return text(data, bytes);
	}
}

static size_t make_hello(const uint8_t *from, size_t bytes)
{
	struct hello h = {
		.flags = bytes ? from[0] & WIRE_HELLO_FLAGS : 0,
	};
	struct buf out = { 0 };
	char name[] = "p?";
	size_t i, len;

	for (i = 0; i < bytes; i++) {
		memslots_add(&h.slots, i * 1000, from[i] + 1, NULL);
		name[1] = 'a' + from[i] % 26;
		machine_set(&h.machine, i % 3 ? name : "cpus", "%u", from[i]);
	}
	machine_set_cpuid(&h.machine, from, bytes);
	hello_encode(&h, &out);
	len = out.len;
	memcpy(room, out.data, len);
	buf_free(&out);
	hello_free(&h);
	return len;
}

static size_t make_pages(const uint8_t *from, size_t bytes)
{
	static const uint8_t classes[] = {
		WIRE_RUN_ZERO, WIRE_RUN_HELD, WIRE_RUN_DUPLICATE,
		WIRE_RUN_PLAIN, WIRE_RUN_BRIEF,
	};
	struct pages_writer w;
	uint64_t gfn = 0;
	size_t i;

	pages_writer_init(&w, room, 1);
	for (i = 0; i < bytes; i++) {
		uint8_t class = classes[from[i] % 5];
		long step = pages_payload_bytes(class);
		void *to = pages_writer_add(&w, gfn, class);

		if (step)
			memset(to, from[i], step);
		gfn += from[i] & 0x20 ? 1 + (from[i] >> 6) : 1;
	}
	return pages_writer_end(&w);
}

/* An honest payload of @type in @room; 0: of such a type none is made. */
static size_t make(uint8_t type, const uint8_t *from, size_t bytes)
{
	static uint8_t array[WIRE_BATCH_PAGES * 32];
	uint64_t gfns[256];
	size_t i;

	memset(array, 0, sizeof(array));
	memcpy(array, from, bytes);
	for (i = 0; i < bytes; i++)
		gfns[i] = from[i];
	switch (type % WIRE_TYPES) {
	case WIRE_HELLO:
		return make_hello(from, bytes);
	case WIRE_PAGES:
		return make_pages(from, bytes);
	case WIRE_OFFER:
		return msg_offer_encode(room, 0, bytes + 1, array);
	case WIRE_ANSWER:
		return msg_answer_encode(room, 0, bytes + 1, array, array);
	case WIRE_REFUSED:
		return bytes ? msg_refused_encode(room, 1, gfns, bytes) : 0;
	case WIRE_ROUND_END:
		return msg_round_encode(room, bytes + 1);
	case WIRE_STARTED:
		return msg_started_encode(room, bytes);
	case WIRE_STATE:
		return msg_state_encode(room, bytes + 1, 0, array, bytes + 1);
	case WIRE_DIGESTS:
		return msg_digests_encode(room, array, bytes + 1);
	}
	return 0;
}

/* A block of its own, so that ASan sees any overrun. */
static void feed_copy(uint8_t type, const uint8_t *data, size_t bytes)
{
	uint8_t *copy = malloc(bytes ? bytes : 1);

	memcpy(copy, data, bytes);
	feed(type, copy, bytes);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	size_t of, len, i;
	uint8_t type;

	if (bytes < 3)
		return 0;
	type = data[0];
	if (!(data[1] & 1)) {
		feed_copy(type, data + 2, bytes - 2);
		return 0;
	}
	of = data[2] < bytes - 2 ? data[2] : bytes - 3;
	len = make(type, data + 3, of);
	for (i = 3 + of; i + 1 < bytes && len; i += 2)
		room[data[i] % len] ^= data[i + 1];
	feed_copy(type, room, len);
	return 0;
}
