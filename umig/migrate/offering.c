// SPDX-License-Identifier: GPL-2.0
/*
 * Offering: see offering.h.
 */
#include "migrate/offering.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#include "wire/msgs.h"

/* Offers ahead whose page, to be proven, is fetched. */
#define PREFETCH_AHEAD 8

int offering_init(struct offering *o, struct migration *m,
		  struct dispatch *out)
{
	uint64_t pages = m->ms->pages;

	o->m = m;
	o->out = out;
	o->pending = bitmap_alloc(pages);
	o->round_of = calloc(pages, sizeof(*o->round_of));
	if (!o->pending || !o->round_of)
		return -ENOMEM;
	return offers_init(&o->offers, offers_limit(pages));
}

void offering_exit(struct offering *o)
{
	free(o->pending);
	free(o->round_of);
	offers_exit(&o->offers);
	nonces_exit(&o->nonces);
}

int offering_flush(struct offering *o)
{
	uint32_t n = o->nr_collected;
	void *room;
	int rc;

	if (!n)
		return 0;
	rc = dispatch_flush(o->out);
	if (rc)
		return rc;
	rc = channel_payload(o->m->ch, &room);
	if (rc)
		return migration_lost(o->m, rc);
	o->m->live.index_offered += n;
	o->nr_collected = 0;
	rc = channel_send(o->m->ch, WIRE_OFFER,
			  msg_offer_encode(room, o->offers.nr - n, n,
					   o->collected));
	return rc ? migration_lost(o->m, rc) : 0;
}

/*
 * The proof is of the page as it is now.  If the guest has written it since its
 * digest was looked up, the destination refuses it, and the log tells us.
 */
static int send_held(struct offering *o, uint64_t index, uint32_t number)
{
	struct wire_held held = { .number = htole32(number) };
	const struct memslots *ms = o->m->ms;

	proof_make(nonces_find(&o->nonces, number), number,
		   memslots_hva(ms, memslots_gfn(ms, index)), held.proof);
	return dispatch_held(o->out, index, &held);
}

/* Page @index goes when PENDING offer @number is answered. */
static int wait_on(struct offering *o, uint64_t index, uint32_t number)
{
	int rc = offers_wait(&o->offers, number, index, o->out->round);

	if (rc)
		return err_set(&o->m->err, rc, "out of memory for offers");
	bitmap_set(o->pending, index);
	o->round_of[index] = o->out->round;
	return 0;
}

static int offer_page(struct offering *o, uint64_t index,
		      const digest_t *digest)
{
	uint32_t number;
	bool added;
	int rc;

	if (!dispatch_may_name(o->out, index))
		return dispatch_own(o->out, index, OFFERS_NONE);
	rc = offers_find_or_add(&o->offers, digest, &number, &added);
	if (rc == -ENOSPC)
		return dispatch_own(o->out, index, OFFERS_NONE);
	if (rc)
		return err_set(&o->m->err, rc, "out of memory for offers");
	if (added)
		o->collected[o->nr_collected++] = *digest;
	switch (o->offers.offer[number].state) {
	case OFFER_HELD:
		return send_held(o, index, number);
	case OFFER_REFUSED:
		return dispatch_own(o->out, index, number);
	default:
		return wait_on(o, index, number);
	}
}

int offering_pages(struct offering *o, uint64_t first, const digest_t *digest,
		   unsigned int n)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; i < n && !rc; i++)
		rc = offer_page(o, first + i, &digest[i]);
	return rc;
}

static bool answer_held(const struct answer_msg *msg, uint32_t at)
{
	return msg->bitmap[at / 8] >> (at % 8) & 1;
}

/* The first page that waits on offer @number will be named soon. */
static void prefetch_held(struct offering *o, uint32_t number)
{
	const struct memslots *ms = o->m->ms;
	uint64_t index;

	if (number >= o->offers.answered ||
	    o->offers.offer[number].state != OFFER_HELD ||
	    !offers_next_waiter(&o->offers, number, &index))
		return;
	/* its memory is far away */
	proof_prefetch(nonces_find(&o->nonces, number), number,
		       memslots_hva(ms, memslots_gfn(ms, index)));
}

/*
 * A page that the destination lacks.  Twins can only be named by the channel that
 * carried the first of them: ours.
 */
static int send_refused(struct offering *o, uint64_t index, uint32_t number)
{
	if (o->twins || !o->out->lanes.active)
		return dispatch_own(o->out, index, number);
	return dispatch_any(o->out, index);
}

/* Whether the one that waited since @round still does; from now on not. */
static bool stop_waiting(struct offering *o, uint64_t index, uint32_t round)
{
	/* written since, or waiting elsewhere by now */
	if (!bitmap_test(o->pending, index) || o->round_of[index] != round)
		return false;
	bitmap_clear(o->pending, index);
	return true;
}

/* A page that waited on offer @released; @alone: add one that any lane may have. */
static int send_released(struct offering *o, uint64_t index,
			 unsigned int *alone)
{
	uint32_t number = o->released;
	uint64_t other;

	o->twins |= offers_next_waiter(&o->offers, number, &other);
	if (o->offers.offer[number].state == OFFER_HELD)
		return send_held(o, index, number);
	*alone += !o->twins;
	return send_refused(o, index, number);
}

/* The next that waited on an offer which was answered; false: none is left. */
static bool pop_released(struct offering *o, uint64_t *index, uint32_t *round)
{
	for (; offering_has_released(o); o->released++) {
		if (offers_pop_waiter(&o->offers, o->released, index, round))
			return true;
		o->twins = false;
		prefetch_held(o, o->released + 1 + PREFETCH_AHEAD);
	}
	return false;
}

int offering_send_released(struct offering *o)
{
	unsigned int i, alone = 0;
	uint64_t index;
	uint32_t round;
	int rc = 0;

	for (i = 0; i < WIRE_BATCH_PAGES && !rc; i++) {
		if (!pop_released(o, &index, &round))
			break;
		if (stop_waiting(o, index, round))
			rc = send_released(o, index, &alone);
	}
	dispatch_climb(o->out, alone);
	return rc;
}

/* 0 if it is of the offers that are next, else -EPROTO. */
static int decode_answer(struct offering *o, struct answer_msg *msg,
			 const struct frame_in *in)
{
	uint32_t made = o->offers.nr - o->nr_collected;
	int rc = msg_answer_decode(msg, in->payload, in->bytes);

	if (!rc && msg->first == o->offers.answered &&
	    msg->count <= made - msg->first)
		return 0;
	return err_set(&o->m->err, -EPROTO,
		       "the destination answered offers that were not made");
}

int offering_answer(struct offering *o, const struct frame_in *in)
{
	struct answer_msg msg;
	uint32_t i;
	int rc = decode_answer(o, &msg, in);

	if (rc)
		return rc;
	rc = nonces_add(&o->nonces, msg.first, msg.nonce,
			migration_proof_mode(o->m));
	if (rc)
		return err_set(&o->m->err, rc, "out of memory for nonces");
	for (i = 0; i < msg.count; i++) {
		bool held = answer_held(&msg, i);

		offers_answer(&o->offers, held);
		o->m->live.index_confirmed += held;
	}
	return 0;
}
