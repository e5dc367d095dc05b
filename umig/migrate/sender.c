// SPDX-License-Identifier: GPL-2.0
/*
 * The sender: see sender.h.
 */
#include "migrate/sender.h"

#include <errno.h>
#include <string.h>

#include "wire/frame.h"
#include "wire/msgs.h"

/* Of what came back, so much is handled at a time: what a channel has room for. */
#define HANDLED_BYTES (2 * (sizeof(struct wire_frame) + WIRE_PAYLOAD_MAX))

_Static_assert(WIRE_BATCH_PAGES <= CLASSIFY_PAGES, "a batch is one run at most");

int sender_init(struct sender *s, struct migration *m,
		struct digest_source *digests)
{
	int rc;

	memset(s, 0, sizeof(*s));
	s->m = m;
	classifier_init(&s->classifier, m->ms, digests);
	if (dispatch_init(&s->out, m) || todo_init(&s->todo, m->ms) ||
	    offering_init(&s->offering, m, &s->out)) {
		sender_exit(s);
		return err_set(&m->err, -ENOMEM,
			       "out of memory for the state of %llu pages",
			       (unsigned long long)m->ms->pages);
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
	dispatch_exit(&s->out);
	offering_exit(&s->offering);
}

void sender_begin_round(struct sender *s)
{
	todo_begin_round(&s->todo);
	dispatch_begin_round(&s->out, s->todo.round);
	s->refused = 0;
}

void sender_written(void *arg, uint64_t gfn, uint64_t pages)
{
	struct sender *s = arg;
	uint64_t index = memslots_index(s->m->ms, gfn);

	s->m->live.pages_dirtied += pages;
	todo_add(&s->todo, index, pages);
	offering_cancel(&s->offering, index, pages);
}

void sender_written_all(struct sender *s)
{
	const struct memslots *ms = s->m->ms;
	unsigned int i;

	for (i = 0; i < ms->nr; i++)
		sender_written(s, ms->slot[i].gfn, ms->slot[i].pages);
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
			rc = offering_pages(&s->offering, first + i,
					    &c->digest[i], k);
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
			offering_prefetch(&s->offering, &c->digest[i]);
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

static int refuse_page(struct sender *s, uint64_t gfn)
{
	uint64_t index;

	if (!memslots_has_run(s->m->ms, gfn, 1))
		return err_set(&s->m->err, -EPROTO,
			       "the destination refused page 0x%llx, which the VM doesn't have",
			       (unsigned long long)gfn);
	index = memslots_index(s->m->ms, gfn);
	dispatch_refused(&s->out, index);
	todo_add(&s->todo, index, 1);
	s->m->live.index_refused++;
	return 0;
}

/*
 * A page that was named in this round, or went as changes, may be refused once;
 * there is no reason to refuse any other.
 */
static int check_refused(struct sender *s, const struct refused_msg *msg)
{
	s->refused += msg->count;
	if (msg->round == s->todo.round &&
	    s->refused <= dispatch_named(&s->out))
		return 0;
	return err_set(&s->m->err, -EPROTO,
		       "the destination refused pages of round %u that came whole, or never",
		       msg->round);
}

static int handle_refused(struct sender *s, const struct frame_in *in)
{
	struct refused_msg msg;
	uint32_t i;
	int rc = msg_refused_decode(&msg, in->payload, in->bytes);

	if (rc)
		return err_set(&s->m->err, -EPROTO,
			       "the destination sent a malformed REFUSED");
	for (i = 0; i < msg.count && !rc; i++)
		rc = refuse_page(s, msg_refused_gfn(&msg, i));
	return rc ? rc : check_refused(s, &msg);
}

/* Bytes of the frame that was handled; -EAGAIN: none is here, and not @wait. */
static int handle_one(struct sender *s, bool wait)
{
	struct frame_in in;
	int rc = migration_recv(s->m, &in, wait);

	if (rc)
		return rc;
	switch (in.type) {
	case WIRE_ANSWER:
		rc = offering_answer(&s->offering, &in);
		break;
	case WIRE_REFUSED:
		rc = handle_refused(s, &in);
		break;
	default:
		rc = migration_unexpected(s->m, &in, "an answer to offers");
	}
	return rc ? rc : (int)(sizeof(struct wire_frame) + in.bytes);
}

/*
 * What is here by now, which we had better take: a destination that can't get
 * rid of what it has to say takes nothing from us.  But no more than could be
 * here: one that talks without end must not keep us from the end of the round,
 * where its time is limited.
 */
static int handle_some(struct sender *s)
{
	size_t bytes = 0;
	int rc = 0;

	while (bytes < HANDLED_BYTES && rc >= 0) {
		rc = handle_one(s, false);
		if (rc > 0)
			bytes += rc;
	}
	return rc < 0 && rc != -EAGAIN ? rc : 0;
}

/*
 * What was written goes out, and what came is handled.
 *
 * This is behind each WIRE_BATCH_PAGES pages, wherever they come from: an OFFER
 * and three frames of pages at most, since lanes may hand as many back.  While
 * these wait for room nobody takes what comes but the channel's receive buffer.
 * It has room for two frames, and what a destination has to say of a frame is
 * shorter than that: one ANSWER, or a gfn for each page that it refuses.
 */
static int end_batch(struct sender *s)
{
	int rc = offering_flush(&s->offering);

	if (!rc)
		rc = dispatch_flush(&s->out);
	if (!rc)
		rc = handle_some(s);
	return rc ? rc : dispatch_error(&s->out);
}

/* A batch of the to-do: 1: there is more; 0; or -errno. */
static int send_batch(struct sender *s)
{
	unsigned int left = WIRE_BATCH_PAGES, n;
	uint64_t first;
	int rc = 0;

	do {
		n = todo_take(&s->todo, left, &first);
		if (n)
			rc = send_run(s, first, n);
		left -= n;
	} while (n && left && !rc && !todo_ends_batch(&s->todo));
	return rc ? rc : n > 0;
}

/* As send_batch(), of those that waited: there may always be more. */
static int send_released(struct sender *s)
{
	int rc = offering_send_released(&s->offering);

	return rc ? rc : 1;
}

int sender_batch(struct sender *s)
{
	int rc, more = offering_has_released(&s->offering) ?
			       send_released(s) : send_batch(s);

	if (more < 0)
		return more;
	rc = end_batch(s);
	return rc ? rc : more;
}

/* Wait for the next answer: 1; 0: none is due; or -errno. */
static int wait_answer(struct sender *s)
{
	int rc = offering_flush(&s->offering);

	if (!rc)
		rc = dispatch_flush_all(&s->out);
	if (rc || !offering_unanswered(&s->offering))
		return rc;
	rc = handle_one(s, true);
	return rc < 0 ? rc : 1;
}

int sender_settle(struct sender *s)
{
	if (offering_has_released(&s->offering))
		return sender_batch(s);
	return wait_answer(s);
}

static int send_round_end(struct sender *s)
{
	uint8_t payload[sizeof(struct wire_round)];
	int rc = dispatch_end_round(&s->out);

	if (rc)
		return rc;
	msg_round_encode(payload, s->todo.round);
	rc = channel_send_copy(s->m->ch, WIRE_ROUND_END, payload,
			       sizeof(payload));
	return rc ? migration_lost(s->m, rc) : 0;
}

int sender_end_round(struct sender *s)
{
	struct frame_in in;
	uint32_t round;
	int rc = send_round_end(s);

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
