// SPDX-License-Identifier: GPL-2.0
/*
 * Seeds for wire_fuzz: a stream of each kind of frame, and streams in which the
 * source proves to have the pages that wire_fuzz's destination holds.  Writes
 * them to the directory that it is given.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/proof.h"
#include "lib/buf.h"
#include "wire/frame.h"
#include "wire/hello.h"
#include "wire/msgs.h"
#include "wire/pages.h"

#define OFFERS 4

/** struct seed - A stream of frames. */
struct seed {
	struct buf bytes;
	uint64_t sequence;
	uint8_t room[WIRE_PAYLOAD_MAX];
};

static void put(struct seed *s, uint16_t type, const void *payload,
		size_t bytes)
{
	uint8_t head[sizeof(struct wire_frame)];

	wire_frame_encode(head, type, bytes, s->sequence++);
	buf_put(&s->bytes, head, sizeof(head));
	buf_put(&s->bytes, payload, bytes);
}

static void put_hello(struct seed *s)
{
	struct hello h = {
		.flags = WIRE_HELLO_SOURCE | WIRE_HELLO_DIGESTS,
	};
	struct buf b = { 0 };

	memslots_add(&h.slots, 0, 8, NULL);
	memslots_add(&h.slots, 0x100, 8, NULL);
	machine_set(&h.machine, "memory", "65536");
	machine_set_cpuid(&h.machine, "table", 5);
	hello_encode(&h, &b);
	put(s, WIRE_HELLO, b.data, b.len);
	buf_free(&b);
	hello_free(&h);
}

/* wire_fuzz's destination holds digests whose first byte is odd. */
static void put_offer(struct seed *s)
{
	static const uint8_t digests[OFFERS][32] = {
		{ 1 }, { 3 }, { 5 }, { 7 },
	};

	put(s, WIRE_OFFER, s->room,
	    msg_offer_encode(s->room, 0, OFFERS, digests));
}

/* ... and its page source has pages of ones, and refuses each third. */
static void put_held(struct pages_writer *w, uint64_t gfn, uint32_t number,
		     enum proof_mode mode)
{
	static const uint8_t nonce[PROOF_NONCE_BYTES];
	struct wire_held held = { .number = htole32(number) };
	uint8_t page[4096];
	struct proof_key key;

	memset(page, 1, sizeof(page));
	proof_key_init(&key, nonce, mode);
	proof_make(&key, number, page, held.proof);
	memcpy(pages_writer_add(w, gfn, WIRE_RUN_HELD), &held, sizeof(held));
	/* again, with the half of it that comes first */
	if (mode == PROOF_SAMPLED)
		memcpy(pages_writer_add(w, gfn, WIRE_RUN_BRIEF), &held,
		       sizeof(struct wire_brief));
}

static void put_pages(struct seed *s, enum proof_mode mode)
{
	struct wire_duplicate dup = { .gfn = htole64(1),
				      .round = htole32(1) };
	struct pages_writer w;
	uint32_t i;

	pages_writer_init(&w, s->room, 1);
	pages_writer_add_dense(&w, 0, 4);
	for (i = 0; i < OFFERS; i++)
		put_held(&w, i, i, mode);
	for (i = 0; i < 2; i++)
		put_held(&w, 4 + i, 1, mode == PROOF_FULL ? PROOF_SAMPLED :
							   PROOF_FULL);
	memcpy(pages_writer_add(&w, 6, WIRE_RUN_DUPLICATE), &dup,
	       sizeof(dup));
	memset(pages_writer_add(&w, 7, WIRE_RUN_PLAIN), 2, 4096);
	pages_writer_add(&w, 0x100, WIRE_RUN_ZERO);
	pages_writer_add_delta(&w, 7, 1, "\1\0\2\0ab", 6);
	pages_writer_add_delta(&w, 0x100, 1, "", 0);
	pages_writer_add_delta(&w, 0x101, 9, "", 0);
	put(s, WIRE_PAGES, s->room, pages_writer_end(&w));
}

static void put_small(struct seed *s)
{
	static const uint8_t nonce[MSG_NONCE_BYTES], bytes[64];
	const uint64_t gfns[] = { 1, 0x100 };

	put(s, WIRE_ANSWER, s->room,
	    msg_answer_encode(s->room, 0, 9, nonce, bytes));
	put(s, WIRE_REFUSED, s->room, msg_refused_encode(s->room, 1, gfns, 2));
	put(s, WIRE_CHANNELS, s->room,
	    msg_channels_encode(s->room, 2, (const uint8_t[16]){ 1 }));
	put(s, WIRE_JOIN, s->room,
	    msg_channels_encode(s->room, 1, (const uint8_t[16]){ 1 }));
	put(s, WIRE_ROUND_END, s->room, msg_round_encode(s->room, 1));
	put(s, WIRE_ROUND_ACK, s->room, msg_round_encode(s->room, 1));
	put(s, WIRE_STATE, s->room,
	    msg_state_encode(s->room, 64, 0, bytes, sizeof(bytes)));
	put(s, WIRE_DIGESTS, s->room, msg_digests_encode(s->room, bytes, 2));
	put(s, WIRE_ERROR, "why", 3);
}

static int save(struct seed *s, const char *dir, const char *name)
{
	char path[4096];
	FILE *f;
	int rc;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	rc = !f || fwrite(s->bytes.data, 1, s->bytes.len, f) != s->bytes.len;
	if (f && fclose(f))
		rc = 1;
	if (rc)
		perror(path);
	buf_free(&s->bytes);
	s->sequence = 0;
	return rc;
}

/* The length says which proofs wire_fuzz asks for. */
static void make_length(struct seed *s, enum proof_mode mode)
{
	if (s->bytes.len % 2 != (mode == PROOF_FULL))
		put(s, WIRE_ERROR, "x", 1);
}

int main(int argc, char **argv)
{
	static struct seed s;
	const char *dir = argv[1];
	int rc;

	if (argc != 2) {
		fprintf(stderr, "usage: wire_seeds DIRECTORY\n");
		return EXIT_FAILURE;
	}
	put_hello(&s);
	put_small(&s);
	rc = save(&s, dir, "small");
	put_offer(&s);
	put_pages(&s, PROOF_SAMPLED);
	make_length(&s, PROOF_SAMPLED);
	rc |= save(&s, dir, "sampled");
	put_offer(&s);
	put_pages(&s, PROOF_FULL);
	make_length(&s, PROOF_FULL);
	rc |= save(&s, dir, "full");
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
