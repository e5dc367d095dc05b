// SPDX-License-Identifier: GPL-2.0
/*
 * The sender: see sender.h.
 */
#include "migrate/sender.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/frame.h"
#include "wire/msgs.h"

/* Offers for each page of RAM that a migration may make, over all rounds. */
#define OFFERS_PER_PAGE 4
/* One ANSWER to each OFFER, and a few REFUSED: twice as many as there may be. */
#define HANDLED_A_BATCH 16
/* Pages to be proven that are fetched at a time. */
#define PREFETCH_AHEAD 8

static uint32_t offers_limit(uint64_t pages)
{
	uint64_t limit = pages * OFFERS_PER_PAGE;

	return limit < OFFERS_NONE ? limit : OFFERS_NONE - 1;
}

int sender_init(struct sender *s, struct migration *m,
		struct digest_source *digests)
{
	uint64_t pages = m->ms->pages;
	int rc;

	memset(s, 0, sizeof(*s));
	s->m = m;
	classifier_init(&s->classifier, m->ms, digests);
	s->pending = bitmap_alloc(pages);
	s->round_of = calloc(pages, sizeof(*s->round_of));
	if (dispatch_init(&s->out, m) || todo_init(&s->todo, m->ms) ||
	    !s->pending || !s->round_of ||
	    offers_init(&s->offers, offers_limit(pages))) {
		sender_exit(s);
		return err_set(&m->err, -ENOMEM,
			       "out of memory for the state of %llu pages",
			       (unsigned long long)pages);
	}
	rc = dispatch_open(&s->out);
	if (rc)
		sender_exit(s);
	return rc;
}

void sender_exit(struct sender *s)
{
	classifier_exit(&s->classifier);
	todo_exit(&s->todo);
	free(s->pending);
	free(s->round_of);
	dispatch_exit(&s->out);
	offers_exit(&s->offers);
	nonces_exit(&s->nonces);
}

void sender_begin_round(struct sender *s)
{
	todo_begin_round(&s->todo);
	dispatch_begin_round(&s->out, s->todo.round);
}

void sender_written(void *arg, uint64_t gfn, uint64_t pages)
{
	struct sender *s = arg;
	uint64_t i = memslots_index(s->m->ms, gfn);

	s->m->live.pages_dirtied += pages;
	todo_add(&s->todo, i, pages);
	for (; pages; pages--, i++) {
		if (!bitmap_test(s->pending, i))
			continue;
		bitmap_clear(s->pending, i);
		s->m->live.index_cancelled++;
	}
}

void sender_written_all(struct sender *s)
{
	const struct memslots *ms = s->m->ms;
	unsigned int i;

	for (i = 0; i < ms->nr; i++)
		sender_written(s, ms->slot[i].gfn, ms->slot[i].pages);
}

static int lost(struct sender *s, int rc)
{
	return rc ? migration_lost(s->m, rc) : 0;
}

/*
 * The proof is of the page as it is now.  If the guest has written it since its
 * digest was looked up, the destination refuses it, and the log tells us.
 */
static int send_held(struct sender *s, uint64_t index, uint32_t number)
{
	struct wire_held held = { .number = htole32(number) };
	uint64_t gfn = memslots_gfn(s->m->ms, index);

	proof_make(nonces_find(&s->nonces, number), number,
		   memslots_hva(s->m->ms, gfn), held.proof);
	return dispatch_held(&s->out, index, &held);
}

/* The OFFER being collected goes out behind the pages before it. */
static int flush_offer(struct sender *s)
{
	void *room;
	size_t bytes;
	int rc;

	if (!s->nr_offered)
		return 0;
	rc = dispatch_flush(&s->out);
	if (!rc)
		rc = lost(s, channel_payload(s->m->ch, &room));
	if (rc)
		return rc;
	bytes = msg_offer_encode(room, s->offers.nr - s->nr_offered,
				 s->nr_offered, s->offered);
	s->m->live.index_offered += s->nr_offered;
	s->nr_offered = 0;
	return lost(s, channel_send(s->m->ch, WIRE_OFFER, bytes));
}

/* A page whose digest is known: name it, ask for it, or send it. */
static int send_known(struct sender *s, uint64_t index,
		      const digest_t *digest)
{
	uint32_t number;
	bool added;
	int rc;

	if (!dispatch_may_name(&s->out, index))
		return dispatch_own(&s->out, index, OFFERS_NONE);
	rc = offers_find_or_add(&s->offers, digest, &number, &added);
	if (rc == -ENOSPC)
		return dispatch_own(&s->out, index, OFFERS_NONE);
	if (rc)
		return err_set(&s->m->err, rc, "out of memory for offers");
	if (added)
		s->offered[s->nr_offered++] = *digest;
	switch (s->offers.offer[number].state) {
	case OFFER_HELD:
		return send_held(s, index, number);
	case OFFER_REFUSED:
		return dispatch_own(&s->out, index, number);
	}
	rc = offers_wait(&s->offers, number, index, s->todo.round);
	if (rc)
		return err_set(&s->m->err, rc, "out of memory for offers");
	bitmap_set(s->pending, index);
	s->round_of[index] = s->todo.round;
	return 0;
}

/* Pages whose digests are known. */
static int send_named(struct sender *s, uint64_t first, const digest_t *digest,
		      unsigned int n)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; i < n && !rc; i++)
		rc = send_known(s, first + i, &digest[i]);
	return rc;
}

/* Send the @n pages from dense index @first on as classified. */
static int send_classified(struct sender *s, uint64_t first, unsigned int n)
{
	const struct classifier *c = &s->classifier;
	unsigned int i, k;
	int rc = 0;

	for (i = 0; i < n && !rc; i += k) {
		k = classifier_alike(c, i, n);
		switch (c->class[i]) {
		case DIGEST_ZERO:
			rc = dispatch_zero(&s->out, first + i, k);
			break;
		case DIGEST_KNOWN:
			rc = send_named(s, first + i, &c->digest[i], k);
			break;
		default:
			rc = dispatch_spread(&s->out, first + i, k);
		}
	}
	return rc;
}

/* Where a run's digests are looked for is all over memory. */
static void prefetch_offers(const struct sender *s, unsigned int n)
{
	const struct classifier *c = &s->classifier;
	unsigned int i;

	for (i = 0; i < n; i++)
		if (c->class[i] == DIGEST_KNOWN)
			offers_prefetch(&s->offers, &c->digest[i]);
}

/* Send @n pages of one slot, from dense index @first on. */
static int send_run(struct sender *s, uint64_t first, unsigned int n)
{
	int rc = classify(&s->classifier, first, n, s->todo.round == 1,
			  &s->m->err);

	if (!rc && s->classifier.dense)
		rc = dispatch_dense(&s->out, first, n);
	if (rc)
		return rc;
	prefetch_offers(s, n);
	return send_classified(s, first, n);
}

/* Page of number @at of an answer will be named soon: its memory is far away. */
static void prefetch_held(struct sender *s, const struct answer_msg *msg,
			  uint32_t at)
{
	const struct memslots *ms = s->m->ms;
	uint32_t number = msg->first + at;
	uint64_t index;

	if (at >= msg->count || !(msg->bitmap[at / 8] >> (at % 8) & 1) ||
	    !offers_next_waiter(&s->offers, number, &index))
		return;
	proof_prefetch(nonces_find(&s->nonces, number), number,
		       memslots_hva(ms, memslots_gfn(ms, index)));
}

/*
 * A page that the destination lacks.  Twins can only be named by the channel that
 * carried the first of them: ours.
 */
static int send_refused(struct sender *s, uint64_t index, uint32_t number,
			bool twins)
{
	if (twins || !s->out.lanes.active)
		return dispatch_own(&s->out, index, number);
	return dispatch_any(&s->out, index);
}

/* All that wait on an offer which was answered. */
static int send_waiters(struct sender *s, uint32_t number, bool held,
			unsigned int *alone)
{
	bool twins = false;
	uint64_t index, other;
	uint32_t round;
	int rc = 0;

	while (!rc && offers_pop_waiter(&s->offers, number, &index, &round)) {
		/* written since, or waiting elsewhere by now */
		if (!bitmap_test(s->pending, index) ||
		    s->round_of[index] != round)
			continue;
		bitmap_clear(s->pending, index);
		twins |= offers_next_waiter(&s->offers, number, &other);
		*alone += !held && !twins;
		rc = held ? send_held(s, index, number) :
			    send_refused(s, index, number, twins);
	}
	return rc;
}

static int handle_answer(struct sender *s, const struct frame_in *in)
{
	unsigned int alone = 0;
	struct answer_msg msg;
	uint32_t i, number;
	int rc = msg_answer_decode(&msg, in->payload, in->bytes);

	if (rc || msg.first != s->offers.answered ||
	    msg.count > s->offers.nr - s->nr_offered - msg.first)
		return err_set(&s->m->err, -EPROTO,
			       "the destination answered offers that were not made");
	rc = nonces_add(&s->nonces, msg.first, msg.nonce,
			migration_proof_mode(s->m));
	if (rc)
		return err_set(&s->m->err, rc, "out of memory for nonces");
	for (i = 0; i < msg.count && !rc; i++) {
		bool held = msg.bitmap[i / 8] >> (i % 8) & 1;

		prefetch_held(s, &msg, i + PREFETCH_AHEAD);
		number = offers_answer(&s->offers, held);
		s->m->live.index_confirmed += held;
		rc = send_waiters(s, number, held, &alone);
	}
	dispatch_climb(&s->out, alone);
	return rc;
}

static int handle_refused(struct sender *s, const struct frame_in *in)
{
	struct refused_msg msg;
	uint32_t i;
	int rc = msg_refused_decode(&msg, in->payload, in->bytes);

	if (rc)
		return err_set(&s->m->err, -EPROTO,
			       "the destination sent a malformed REFUSED");
	for (i = 0; i < msg.count; i++) {
		uint64_t index, gfn = msg_refused_gfn(&msg, i);

		if (!memslots_has_run(s->m->ms, gfn, 1))
			return err_set(&s->m->err, -EPROTO,
				       "the destination refused page 0x%llx, which the VM doesn't have",
				       (unsigned long long)gfn);
		index = memslots_index(s->m->ms, gfn);
		dispatch_refused(&s->out, index);
		todo_add(&s->todo, index, 1);
		s->m->live.index_refused++;
	}
	return 0;
}

/* 0 when a frame was handled, -EAGAIN if none is here and not @wait. */
static int handle_one(struct sender *s, bool wait)
{
	struct frame_in in;
	int rc = migration_recv(s->m, &in, wait);

	if (rc)
		return rc;
	switch (in.type) {
	case WIRE_ANSWER:
		return handle_answer(s, &in);
	case WIRE_REFUSED:
		return handle_refused(s, &in);
	default:
		return migration_unexpected(s->m, &in, "an answer to offers");
	}
}

/*
 * What is here by now, but no more than an honest destination has to say of a
 * batch: one that talks without end must not keep us from the end of the round,
 * where its time is limited.
 */
static int handle_some(struct sender *s)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; i < HANDLED_A_BATCH && !rc; i++)
		rc = handle_one(s, false);
	return rc == -EAGAIN ? 0 : rc;
}

int sender_batch(struct sender *s)
{
	unsigned int left = SENDER_BATCH, n;
	uint64_t first;
	int rc = 0;

	do {
		n = todo_take(&s->todo, left, &first);
		if (n)
			rc = send_run(s, first, n);
		left -= n;
	} while (n && left && !rc && !todo_ends_batch(&s->todo));
	if (!rc)
		rc = flush_offer(s);
	if (!rc)
		rc = dispatch_flush(&s->out);
	if (!rc)
		rc = handle_some(s);
	if (!rc)
		rc = dispatch_error(&s->out);
	if (rc)
		return rc;
	return n ? 1 : 0;
}

int sender_settle(struct sender *s)
{
	int rc = flush_offer(s);

	if (!rc)
		rc = dispatch_flush_all(&s->out);
	while (!rc && s->offers.answered < s->offers.nr) {
		rc = handle_one(s, true);
		if (!rc)
			rc = dispatch_flush_all(&s->out);
	}
	return rc;
}

int sender_end_round(struct sender *s)
{
	struct frame_in in;
	uint8_t payload[sizeof(struct wire_round)];
	uint32_t round;
	int rc = dispatch_end_round(&s->out);

	if (rc)
		return rc;
	msg_round_encode(payload, s->todo.round);
	rc = lost(s, channel_send_copy(s->m->ch, WIRE_ROUND_END, payload,
				       sizeof(payload)));
	while (!rc) {
		rc = migration_recv(s->m, &in, true);
		if (rc)
			break;
		if (in.type == WIRE_REFUSED) {
			rc = handle_refused(s, &in);
			continue;
		}
		if (in.type != WIRE_ROUND_ACK ||
		    msg_round_decode(&round, in.payload, in.bytes) ||
		    round != s->todo.round)
			return migration_unexpected(s->m, &in,
						    "this round's ACK");
		return 0;
	}
	return rc;
}

void sender_end_rounds(struct sender *s)
{
	dispatch_close(&s->out);
}

void sender_count(struct sender *s, struct migrate_report *r)
{
	dispatch_count(&s->out, r);
}
