// SPDX-License-Identifier: GPL-2.0
/*
 * The handover as the destination does it: see handover.h.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "migrate/handover.h"
#include "wire/frame.h"
#include "wire/msgs.h"

void handover_target_init(struct handover_target *h, struct migration *m)
{
	*h = (struct handover_target){
		.m = m,
		.state = TARGET_RECEIVING,
		.record.phase = HANDOVER_PHASE_STARTING,
	};
}

static void write_record(struct handover_target *h)
{
	struct migration *m = h->m;

	h->next = handover_store_write(m->params.store, &h->record, &m->err) ?
			  HANDOVER_RECORD_FAILED : HANDOVER_RECORD_WRITTEN;
}

/* If this fails there is one refusal too many later, never one too few. */
static void change_record(struct handover_target *h, bool started)
{
	struct handover_store *s = h->m->params.store;
	struct err err = { 0 };
	int rc;

	h->record.phase = HANDOVER_PHASE_STARTED;
	if (started)
		rc = handover_store_write(s, &h->record, &err);
	else
		rc = handover_store_undo(s, &err);
	if (rc)
		log_warn("%s: %s; settle it when this process has ended",
			 handover_store_name(s), err_text(&err));
}

static void start_guest(struct handover_target *h)
{
	struct migration *m = h->m;
	uint64_t began = clock_now_ns();
	int rc = m->ops->start(m->vm, &m->err);

	h->next = rc ? HANDOVER_START_FAILED : HANDOVER_START_OK;
	if (rc) {
		err_set(&m->err, rc, "cannot start the guest: %s",
			strerror(-rc));
		return;
	}
	m->ended_ns = clock_now_ns();
	m->live.start_ns = m->ended_ns - began;
	m->live.downtime_ns = m->live.start_ns;
}

/* It runs here now, whether or not anybody hears of it. */
static void say_started(struct migration *m)
{
	uint8_t payload[sizeof(m->live.start_ns)];
	size_t bytes = msg_started_encode(payload, m->live.start_ns);

	if (channel_send_copy(m->ch, WIRE_STARTED, payload, bytes) ||
	    channel_flush(m->ch))
		migration_warn(m,
			       "the guest runs here, but the source could not be told: settle it there with umig settle --moved");
}

/* While the source writes its record; if it fails, writing it says so. */
static void stage_record(struct handover_target *h)
{
	struct migration *m = h->m;

	handover_record_name(&h->record, handover_store_name(m->params.store),
			     m->peer.name, m->from);
	h->record.time_s = time(NULL);
	handover_store_stage(m->params.store, &h->record, NULL);
}

static void say_ready(struct handover_target *h)
{
	struct migration *m = h->m;
	int rc = channel_send_copy(m->ch, WIRE_READY, NULL, 0);

	/* the source writes its record now, and says GO or ends */
	migration_deadline_ns(m, m->params.peer_timeout_ns);
	if (!rc)
		return stage_record(h);
	migration_lost(m, rc);
	h->next = rc == -ECANCELED ? HANDOVER_CANCEL : HANDOVER_LINK_LOST;
}

/* The last word of an end that will never run the guest. */
static void say_not_started(struct handover_target *h)
{
	struct migration *m = h->m;
	const char *text = err_text(&m->err);

	if (h->next == HANDOVER_RECORD_FAILED ||
	    h->next == HANDOVER_START_FAILED) {
		if (!channel_send_copy(m->ch, WIRE_NOT_STARTED, text,
				       strnlen(text, WIRE_TEXT_MAX)))
			channel_flush(m->ch);
		return;
	}
	migration_goodbye(m, m->err.code);
}

static void act(struct handover_target *h, enum handover_action action)
{
	switch (action) {
	case HANDOVER_SEND_READY:
		return say_ready(h);
	case HANDOVER_WRITE_RECORD:
		return write_record(h);
	case HANDOVER_START_GUEST:
		return start_guest(h);
	case HANDOVER_SEND_STARTED:
		return say_started(h->m);
	case HANDOVER_MARK_RECORD:
		return change_record(h, true);
	case HANDOVER_REMOVE_RECORD:
		return change_record(h, false);
	case HANDOVER_SEND_NOT_STARTED:
		return say_not_started(h);
	default:
		assert(!"an action of the source");
	}
}

static void step(struct handover_target *h, enum handover_event event)
{
	struct handover_step s = handover_next(h->state, event);
	unsigned int i;

	assert(s.to);
	h->state = s.to;
	for (i = 0; i < HANDOVER_STEP_ACTIONS && s.action[i]; i++)
		act(h, s.action[i]);
}

/* One event, and all that follows from it without anybody else. */
static void follow(struct handover_target *h, enum handover_event event)
{
	do {
		h->next = event;
		step(h, event);
		event = h->next == event ? 0 : h->next;
	} while (event && !handover_final(h->state));
}

int handover_target_prepare(struct handover_target *h, const uint8_t *id)
{
	struct migration *m = h->m;
	int rc = migration_enter(m, MIGRATE_STOPPING);

	if (rc)
		return migration_lost(m, rc);
	memcpy(h->record.id, id, sizeof(h->record.id));
	follow(h, HANDOVER_PREPARE);
	return h->state == TARGET_READY ? 0 : m->err.code;
}

int handover_target_go(struct handover_target *h)
{
	struct migration *m = h->m;
	int rc = migration_enter(m, MIGRATE_HANDOVER);

	if (rc)
		return migration_lost(m, rc);
	channel_set_cancellable(m->ch, false);
	/* starting may take its time; the word of it is still to be sent */
	channel_set_deadline(m->ch, 0);
	follow(h, HANDOVER_GO);
	return h->state == TARGET_RUNNING ? 1 : m->err.code;
}

void handover_target_fail(struct handover_target *h, int rc)
{
	enum handover_event event = HANDOVER_GARBAGE;

	if (handover_final(h->state))
		return;		/* and its last word has been said */
	err_set(&h->m->err, rc, "%s", strerror(-rc));
	if (rc == -EREMOTEIO)
		event = HANDOVER_NOT_STARTED;
	else if (rc == -ECONNRESET)
		event = HANDOVER_LINK_LOST;
	else if (rc == -ETIMEDOUT || rc == -ETIME)
		event = HANDOVER_TIMEOUT;
	else if (rc == -ECANCELED)
		event = HANDOVER_CANCEL;
	else if (h->state == TARGET_RECEIVING)
		event = HANDOVER_UNFIT;
	follow(h, event);
}
