// SPDX-License-Identifier: GPL-2.0
/*
 * The handover, as the source does it: see handover.h.
 *
 *   GO said, and then        the guest
 *   STARTED                  is the destination's
 *   NOT_STARTED, ERROR       is ours: said only by who never will start it
 *   silence, a dead link     is stopped here until a late answer comes, or
 *                            its operator says what became of it
 */
#include "migrate/handover.h"

#include <errno.h>

#include "lib/clock.h"
#include "wire/frame.h"
#include "wire/msgs.h"

/**
 * enum outcome - What is known of the guest once GO may have been said.
 * @OUTCOME_MOVED: it runs at the destination, on its word or the operator's.
 * @OUTCOME_STAYED: it does not and never will there, on either's word, or
 *	because GO has not been said.
 * @OUTCOME_UNKNOWN: nobody here knows.
 */
enum outcome {
	OUTCOME_MOVED = 1,
	OUTCOME_STAYED = 2,
	OUTCOME_UNKNOWN = 3,
};

/* The destination's answer to GO, however late it comes. */
static enum outcome hear_outcome(struct migration *m)
{
	char text[WIRE_TEXT_MAX + 1];
	struct frame_in in;
	int rc = migration_recv(m, &in, true);

	if (rc == -EREMOTEIO)	/* ERROR, CANCEL: said only by who didn't */
		return OUTCOME_STAYED;
	if (rc)
		return OUTCOME_UNKNOWN;
	if (in.type == WIRE_STARTED)
		return OUTCOME_MOVED;
	if (in.type != WIRE_NOT_STARTED) {
		migration_unexpected(m, &in, "STARTED");
		return OUTCOME_UNKNOWN;
	}
	msg_text_decode(text, in.payload, in.bytes);
	m->err = (struct err){ 0 };
	err_set(&m->err, -EREMOTEIO,
		"the destination could not start the guest: %s", text);
	return OUTCOME_STAYED;
}

/* The point of no return. */
static enum outcome go(struct migration *m)
{
	void *room;
	int rc = channel_payload(m->ch, &room);

	if (rc) {
		migration_lost(m, rc);
		return OUTCOME_STAYED;	/* nothing has been said */
	}
	rc = channel_send(m->ch, WIRE_GO, 0);
	if (!rc)
		rc = channel_flush(m->ch);
	if (rc) {
		migration_lost(m, rc);
		return OUTCOME_UNKNOWN;
	}
	return hear_outcome(m);
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

/*
 * Stay in HANDOVER_UNKNOWN until somebody says what became of the guest, or a
 * late answer does: migration_settle() wakes the channel by @cancel_fd.
 */
static enum outcome wait_settled(struct migration *m)
{
	enum outcome late = OUTCOME_UNKNOWN;

	channel_set_cancellable(m->ch, true);
	channel_set_timeout(m->ch, CHANNEL_TIMEOUT_NEVER);
	if (!settled(m, false))
		late = hear_outcome(m);
	if (late != OUTCOME_UNKNOWN)
		return late;
	switch (settled(m, true)) {
	case MIGRATE_SETTLED_MOVED:
		return OUTCOME_MOVED;
	case MIGRATE_SETTLED_STAYED:
		/* a GO that is still on its way must not arrive any more */
		channel_abort(m->ch);
		m->ch = NULL;
		return OUTCOME_STAYED;
	default:
		m->abandoned = true;
		return OUTCOME_UNKNOWN;
	}
}

int handover(struct migration *m, uint64_t stopped_ns)
{
	enum outcome outcome;
	int rc = migration_enter(m, MIGRATE_HANDOVER);

	if (rc)
		return rc;
	channel_set_cancellable(m->ch, false);
	outcome = go(m);
	m->ended_ns = clock_now_ns();
	m->live.downtime_ns = m->ended_ns - stopped_ns - m->live.verify_ns;
	if (outcome == OUTCOME_UNKNOWN) {
		migration_enter(m, MIGRATE_HANDOVER_UNKNOWN);
		outcome = wait_settled(m);
	}
	return outcome == OUTCOME_MOVED ? 0 : -EREMOTEIO;
}
