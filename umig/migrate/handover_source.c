// SPDX-License-Identifier: GPL-2.0
/*
 * The handover as the source does it: hear, step, act.  The guest is stopped,
 * and is started again, or not, by the caller.
 */
#include "migrate/handover.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "wire/frame.h"
#include "wire/msgs.h"

/**
 * struct handover - One run of it.
 * @m: the migration.
 * @state: where it stands.
 * @next: what the last action led to, 0: nothing yet.
 * @record: what is, or will be, on disk.
 * @deaf: in UNKNOWN, and no word can come any more.
 * @stopped_ns: when the guest was stopped.
 * @began_ns: when this began.
 */
struct handover {
	struct migration *m;
	enum handover_state state;
	enum handover_event next;
	struct handover_record record;
	bool deaf;
	uint64_t stopped_ns;
	uint64_t began_ns;
};

/* The destination could not: its words are ours. */
static enum handover_event hear_not_started(struct migration *m,
					    const struct frame_in *in)
{
	char text[WIRE_TEXT_MAX + 1];

	msg_text_decode(text, in->payload, in->bytes);
	m->err = (struct err){ 0 };
	err_set(&m->err, -EREMOTEIO,
		"the destination could not start the guest: %s", text);
	return HANDOVER_NOT_STARTED;
}

/* READY: from here on it can't be cancelled, unless it has been just now. */
static enum handover_event hear_ready(struct handover *h,
				      const struct frame_in *in)
{
	struct migration *m = h->m;

	if (h->state != SOURCE_PREPARING) {
		migration_unexpected(m, in, "STARTED");
		return HANDOVER_GARBAGE;
	}
	if (migration_enter(m, MIGRATE_HANDOVER)) {
		migration_lost(m, -ECANCELED);
		return HANDOVER_CANCEL;
	}
	channel_set_cancellable(m->ch, false);
	return HANDOVER_READY;
}

static enum handover_event hear_nothing(int rc)
{
	switch (rc) {
	case -EREMOTEIO:	/* ERROR, CANCEL: said only by who didn't */
		return HANDOVER_NOT_STARTED;
	case -ETIMEDOUT:
	case -ETIME:
		return HANDOVER_TIMEOUT;
	case -ECANCELED:
		return HANDOVER_CANCEL;
	case -EPROTO:
		return HANDOVER_GARBAGE;
	default:
		return HANDOVER_LINK_LOST;
	}
}

/* The destination's next word. */
static enum handover_event hear(struct handover *h)
{
	struct migration *m = h->m;
	struct frame_in in;
	int rc = migration_recv(m, &in, true);

	if (rc)
		return hear_nothing(rc);
	switch (in.type) {
	case WIRE_READY:
		return hear_ready(h, &in);
	case WIRE_NOT_STARTED:
		return hear_not_started(m, &in);
	case WIRE_STARTED:
		if (h->state == SOURCE_PREPARING)
			migration_unexpected(m, &in, "READY");
		/* it counts, whatever it carries */
		if (msg_started_decode(&m->live.start_ns, in.payload,
				       in.bytes))
			m->live.start_ns = 0;
		return HANDOVER_STARTED;
	default:
		migration_unexpected(m, &in, h->state == SOURCE_PREPARING ?
						     "READY" : "STARTED");
		return HANDOVER_GARBAGE;
	}
}

/* What migration_settle() has said so far. */
static enum migrate_settled settled(struct migration *m, bool wait)
{
	enum migrate_settled how;

	pthread_mutex_lock(&m->lock);
	while (wait && !m->settled)
		pthread_cond_wait(&m->settled_cond, &m->lock);
	how = m->settled;
	pthread_mutex_unlock(&m->lock);
	return how;
}

/* A late word; migration_settle() ends the wait for it by @cancel_fd. */
static enum handover_event hear_late(struct handover *h)
{
	struct migration *m = h->m;
	enum handover_event event;

	channel_set_cancellable(m->ch, true);
	channel_set_deadline(m->ch, 0);
	channel_set_timeout(m->ch, CHANNEL_TIMEOUT_NEVER);
	event = hear(h);
	h->deaf = event != HANDOVER_STARTED && event != HANDOVER_NOT_STARTED;
	return event;
}

/* Until somebody says what became of the guest, or a late word does. */
static enum handover_event wait_settled(struct handover *h)
{
	struct migration *m = h->m;
	enum handover_event event;

	if (!h->deaf && !settled(m, false)) {
		event = hear_late(h);
		if (event != HANDOVER_CANCEL)
			return event;
	}
	switch (settled(m, true)) {
	case MIGRATE_SETTLED_MOVED:
		return HANDOVER_SAID_MOVED;
	case MIGRATE_SETTLED_STAYED:
		return HANDOVER_SAID_STAYED;
	default:
		m->abandoned = true;
		return 0;
	}
}

static void write_record(struct handover *h)
{
	struct migration *m = h->m;

	h->next = handover_store_write(m->params.store, &h->record, &m->err) ?
			  HANDOVER_RECORD_FAILED : HANDOVER_RECORD_WRITTEN;
}

/* If this fails there is one refusal too many later, never one too few. */
static void change_record(struct handover *h, bool moved)
{
	struct handover_store *s = h->m->params.store;
	struct err err = { 0 };
	int rc;

	h->record.phase = HANDOVER_PHASE_MOVED;
	if (moved)
		rc = handover_store_write(s, &h->record, &err);
	else
		rc = handover_store_undo(s, &err);
	if (!rc)
		return;
	log_warn("%s: %s; settle it when this process has ended",
		 handover_store_name(s), err_text(&err));
}

/* The point of no return. */
static void say_go(struct handover *h)
{
	struct migration *m = h->m;
	void *room;
	int rc;

	migration_deadline(m, 0);
	rc = channel_payload(m->ch, &room);
	if (rc) {
		migration_lost(m, rc);
		h->next = HANDOVER_GO_UNSAID;
		return;
	}
	rc = channel_send(m->ch, WIRE_GO, 0);
	if (!rc)
		rc = channel_flush(m->ch);
	if (!rc)
		return;
	migration_lost(m, rc);
	h->next = HANDOVER_LINK_LOST;
}

static void act(struct handover *h, enum handover_action action)
{
	struct migration *m = h->m;

	switch (action) {
	case HANDOVER_WRITE_RECORD:
		return write_record(h);
	case HANDOVER_SEND_GO:
		return say_go(h);
	case HANDOVER_MARK_RECORD:
		return change_record(h, true);
	case HANDOVER_REMOVE_RECORD:
		return change_record(h, false);
	case HANDOVER_RESET_LINK:
		/* not closed: the sender still has its hooks in it */
		channel_abort(m->ch);
		return;
	case HANDOVER_ASK_OPERATOR:
		migration_enter(m, MIGRATE_HANDOVER_UNKNOWN);
		return;
	case HANDOVER_START_GUEST:
	case HANDOVER_DROP_GUEST:
		return;		/* the caller's: what is returned says so */
	default:
		assert(!"an action of the destination");
	}
}

static void count_downtime(struct handover *h)
{
	struct migration *m = h->m;

	m->ended_ns = clock_now_ns();
	m->live.downtime_ns = m->ended_ns - h->stopped_ns - m->live.verify_ns;
	m->live.handover_ns = m->ended_ns - h->began_ns;
	/* theirs to say, but no more than there was */
	if (m->live.start_ns > m->live.handover_ns)
		m->live.start_ns = 0;
	m->live.handover_ns -= m->live.start_ns;
}

static void step(struct handover *h, enum handover_event event)
{
	struct handover_step s = handover_next(h->state, event);
	unsigned int i;

	assert(s.to);
	if (h->state == SOURCE_WAITING)
		count_downtime(h);
	h->state = s.to;
	h->next = 0;
	for (i = 0; i < HANDOVER_STEP_ACTIONS && s.action[i]; i++)
		act(h, s.action[i]);
}

static enum handover_event prepare(struct handover *h)
{
	struct migration *m = h->m;
	int rc;

	migration_deadline(m, 0);
	rc = channel_send_copy(m->ch, WIRE_PREPARE, h->record.id,
			       sizeof(h->record.id));
	if (rc)
		migration_lost(m, rc);
	return rc ? hear_nothing(rc) : 0;
}

void handover_stage(struct migration *m)
{
	struct handover_record *r = &m->record;

	r->phase = HANDOVER_PHASE_HANDOVER;
	r->time_s = time(NULL);
	randombytes_buf(r->id, sizeof(r->id));
	handover_record_name(r, handover_store_name(m->params.store),
			     m->peer.name, m->address);
	/* if it can't be written now, writing it says so */
	handover_store_stage(m->params.store, r, NULL);
}

int handover_source(struct migration *m, uint64_t stopped_ns)
{
	struct handover h = {
		.m = m,
		.state = SOURCE_PREPARING,
		.record = m->record,
		.stopped_ns = stopped_ns,
		.began_ns = clock_now_ns(),
	};
	enum handover_event event;

	h.next = prepare(&h);
	while (!handover_final(h.state)) {
		event = h.next;
		if (!event)
			event = h.state == SOURCE_UNKNOWN ? wait_settled(&h) :
							    hear(&h);
		if (m->abandoned)
			return -EREMOTEIO;
		step(&h, event);
	}
	if (h.state == SOURCE_MOVED)
		return 0;
	assert(m->err.code);	/* what began it is the reason */
	return m->err.code;
}
