// SPDX-License-Identifier: GPL-2.0
/*
 * The receiving side under hostile bytes: a stream of frames into every decoder
 * and, for OFFER and PAGES, into the placer with a small guest memory behind
 * it.  Nothing outside of that memory may be touched, nothing may be accepted
 * that a decoder's own bounds forbid.
 *
 * Nonces are zero here, so that a seed can have proofs (wire_seeds.c).  An
 * input of odd length is one for full proofs.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "migrate/place.h"
#include "wire/frame.h"
#include "wire/hello.h"
#include "wire/msgs.h"

#define LOW 8
#define HIGH 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static int offer(struct page_source *ps, const digest_t *digests,
		 unsigned int nr, uint64_t *leases)
{
	unsigned int i;

	(void)ps;
	for (i = 0; i < nr; i++)
		leases[i] = digests[i].b[0] & 1;
	return 0;
}

static int place(struct page_source *ps, struct place_item *items,
		 unsigned int nr)
{
	unsigned int i;

	(void)ps;
	for (i = 0; i < nr; i++) {
		items[i].result = i % 3 ? 0 : -2;
		memset(items[i].hva, 1, UMIG_PAGE_SIZE);
	}
	return 0;
}

static void release_all(struct page_source *ps)
{
	(void)ps;
}

static const char *no_random_name(void)
{
	return "zeroes";
}

static uint32_t no_random(void)
{
	return 0;
}

static void no_random_buf(void *const to, const size_t bytes)
{
	memset(to, 0, bytes);
}

static struct randombytes_implementation zeroes = {
	.implementation_name = no_random_name,
	.random = no_random,
	.buf = no_random_buf,
};

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return randombytes_set_implementation(&zeroes) || sodium_init() < 0;
}

static void feed(struct placer *p, const struct wire_frame *f,
		 const uint8_t *payload)
{
	struct err err = { 0 };
	uint8_t bitmap[WIRE_BATCH_PAGES / 8];
	char text[WIRE_TEXT_MAX + 1];
	struct refused_msg refused;
	uint8_t nonce[PROOF_NONCE_BYTES];
	struct offer_msg msg;
	struct answer_msg answer;
	struct state_msg st;
	struct hello h = { 0 };
	const uint8_t *digests;
	uint32_t n;

	switch (f->type) {
	case WIRE_HELLO:
		hello_decode(&h, payload, f->length, &err);
		hello_free(&h);
		break;
	case WIRE_OFFER:
		if (!msg_offer_decode(&msg, payload, f->length))
			placer_offer(p, &msg, nonce, bitmap, &err);
		break;
	case WIRE_ANSWER:
		msg_answer_decode(&answer, payload, f->length);
		break;
	case WIRE_PAGES:
		placer_pages(p, payload, f->length, &err);
		break;
	case WIRE_REFUSED:
		if (!msg_refused_decode(&refused, payload, f->length))
			msg_refused_gfn(&refused, refused.count - 1);
		break;
	case WIRE_ROUND_END:
	case WIRE_ROUND_ACK:
		msg_round_decode(&n, payload, f->length);
		break;
	case WIRE_STATE:
		msg_state_decode(&st, payload, f->length);
		break;
	case WIRE_DIGESTS:
		msg_digests_decode(&digests, &n, payload, f->length);
		break;
	default:
		msg_text_decode(text, payload, f->length);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static uint8_t ram[(LOW + HIGH) * UMIG_PAGE_SIZE]
		__attribute__((aligned(UMIG_PAGE_SIZE)));
	struct page_source ps = {
		.offer = offer,
		.place = place,
		.release_all = release_all,
	};
	struct memslots ms = { 0 };
	struct wire_frame f;
	struct placer p;
	uint64_t sequence = 0;

	memslots_add(&ms, 0, LOW, ram);
	memslots_add(&ms, 0x100, HIGH, ram + LOW * UMIG_PAGE_SIZE);
	memset(ram, 0, sizeof(ram));
	if (placer_init(&p, &ms, &ps))
		return 0;
	p.proof = bytes % 2 ? PROOF_FULL : PROOF_SAMPLED;
	p.brief = p.proof == PROOF_SAMPLED;
	while (bytes >= sizeof(f)) {
		uint8_t *copy;

		if (wire_frame_decode(data, sequence, &f) ||
		    f.length > bytes - sizeof(f))
			break;
		sequence++;
		/* a block of its own, so that ASan sees any overrun */
		copy = malloc(f.length ? f.length : 1);
		memcpy(copy, data + sizeof(f), f.length);
		feed(&p, &f, copy);
		free(copy);
		data += sizeof(f) + f.length;
		bytes -= sizeof(f) + f.length;
	}
	placer_exit(&p);
	return 0;
}
