/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The handover as two state machines, the source's and the destination's: what
 * follows from what, and what is to be done then.  Pure: no I/O, no clock, no
 * memory of its own.  The engine (handover.c, handover_target.c), the commands
 * that settle a record (handover_settle.c) and the model checker
 * (selftests/model) all step through these tables and no others.
 *
 * Documentation/handover.rst explains the protocol, and what the model proves.
 */
#ifndef UMIG_MIGRATE_HANDOVER_SM_H
#define UMIG_MIGRATE_HANDOVER_SM_H

#include <stdbool.h>

/**
 * enum handover_state - Where one end of a handover stands.
 *
 * Source; the guest is stopped in all but the last two:
 * @SOURCE_PREPARING: PREPARE is said.  May be cancelled.
 * @SOURCE_RECORDING: READY was heard; the record is being written.  GO has not
 *	been said.
 * @SOURCE_WAITING: GO may have been said.  Only the destination's word, or the
 *	operator's, ends this.
 * @SOURCE_UNKNOWN: as WAITING, but nobody expects a word any more.  A word that
 *	comes late counts.
 * @SOURCE_RECORDED: the process is gone, and with it the guest's memory; its
 *	record says that GO may have been said.  Only the operator ends this.
 * @SOURCE_MOVED: the guest is the destination's.  Final; the record stays and
 *	keeps the VM from being started here.
 * @SOURCE_STAYED: the guest is ours; no record.  Final.
 *
 * Destination; the guest runs in RUNNING and nowhere else:
 * @TARGET_RECEIVING: PREPARE has not been answered.
 * @TARGET_READY: READY is said.  May be cancelled until GO has been taken.
 * @TARGET_RECORDING: GO was heard; the record is being written.
 * @TARGET_STARTING: the guest is being started.
 * @TARGET_RECORDED: the process is gone; its record says that the guest may
 *	have run here.  Only the operator ends this.
 * @TARGET_RUNNING: the guest is ours.  Final; the record stays.
 * @TARGET_REFUSED: it never ran here and never will.  Final; no record.
 */
enum handover_state {
	SOURCE_PREPARING = 1,
	SOURCE_RECORDING = 2,
	SOURCE_WAITING = 3,
	SOURCE_UNKNOWN = 4,
	SOURCE_RECORDED = 5,
	SOURCE_MOVED = 6,
	SOURCE_STAYED = 7,
	TARGET_RECEIVING = 8,
	TARGET_READY = 9,
	TARGET_RECORDING = 10,
	TARGET_STARTING = 11,
	TARGET_RECORDED = 12,
	TARGET_RUNNING = 13,
	TARGET_REFUSED = 14,
	HANDOVER_STATES
};

/**
 * enum handover_event - What may happen to one end.
 * @HANDOVER_PREPARE: PREPARE was heard, everything is here, it could run.
 * @HANDOVER_UNFIT: PREPARE was heard, and it could not.
 * @HANDOVER_READY: READY was heard.
 * @HANDOVER_GO: GO was heard.
 * @HANDOVER_STARTED: STARTED was heard.
 * @HANDOVER_NOT_STARTED: NOT_STARTED, ERROR or CANCEL was heard.
 * @HANDOVER_GARBAGE: anything else was heard.
 * @HANDOVER_LINK_LOST: the connection broke.
 * @HANDOVER_TIMEOUT: what was waited for didn't come in time.
 * @HANDOVER_CANCEL: somebody at this end asks to call it off.
 * @HANDOVER_RECORD_WRITTEN: the record is on stable storage.
 * @HANDOVER_RECORD_FAILED: it is not, or nobody knows.
 * @HANDOVER_GO_UNSAID: no byte of GO has left: the link broke before.
 * @HANDOVER_START_OK: the guest runs.
 * @HANDOVER_START_FAILED: it does not, and has not run.
 * @HANDOVER_SAID_MOVED: the operator says that it is the destination's.
 * @HANDOVER_SAID_STAYED: the operator says that it never ran there and never
 *	will.
 */
enum handover_event {
	HANDOVER_PREPARE = 1,
	HANDOVER_UNFIT = 2,
	HANDOVER_READY = 3,
	HANDOVER_GO = 4,
	HANDOVER_STARTED = 5,
	HANDOVER_NOT_STARTED = 6,
	HANDOVER_GARBAGE = 7,
	HANDOVER_LINK_LOST = 8,
	HANDOVER_TIMEOUT = 9,
	HANDOVER_CANCEL = 10,
	HANDOVER_RECORD_WRITTEN = 11,
	HANDOVER_RECORD_FAILED = 12,
	HANDOVER_GO_UNSAID = 13,
	HANDOVER_START_OK = 14,
	HANDOVER_START_FAILED = 15,
	HANDOVER_SAID_MOVED = 16,
	HANDOVER_SAID_STAYED = 17,
	HANDOVER_EVENTS
};

/**
 * enum handover_action - What an end is to do.
 * @HANDOVER_SEND_READY: say READY.
 * @HANDOVER_SEND_GO: say GO; the outcome is GO_UNSAID, LINK_LOST or nothing.
 * @HANDOVER_SEND_STARTED: say STARTED.
 * @HANDOVER_SEND_NOT_STARTED: say that it never will run: NOT_STARTED, ERROR or
 *	CANCEL.
 * @HANDOVER_WRITE_RECORD: make the record; the outcome is RECORD_WRITTEN or
 *	RECORD_FAILED.
 * @HANDOVER_MARK_RECORD: note in the record that the guest is the
 *	destination's.  If that fails, the old record stays: more is then
 *	refused, nothing is allowed.
 * @HANDOVER_REMOVE_RECORD: remove the record.  If that fails: likewise.
 * @HANDOVER_START_GUEST: let the guest run.  At the destination the outcome is
 *	START_OK or START_FAILED.
 * @HANDOVER_DROP_GUEST: the guest's memory may be forgotten.
 * @HANDOVER_RESET_LINK: nothing that is still on its way may arrive.
 * @HANDOVER_ASK_OPERATOR: tell that somebody has to look, and wait.
 */
enum handover_action {
	HANDOVER_SEND_READY = 1,
	HANDOVER_SEND_GO = 2,
	HANDOVER_SEND_STARTED = 3,
	HANDOVER_SEND_NOT_STARTED = 4,
	HANDOVER_WRITE_RECORD = 5,
	HANDOVER_MARK_RECORD = 6,
	HANDOVER_REMOVE_RECORD = 7,
	HANDOVER_START_GUEST = 8,
	HANDOVER_DROP_GUEST = 9,
	HANDOVER_RESET_LINK = 10,
	HANDOVER_ASK_OPERATOR = 11,
	HANDOVER_ACTIONS
};

#define HANDOVER_STEP_ACTIONS 3

/**
 * struct handover_step - What follows from an event.
 * @to: the next state; 0: the event can't happen in this state.
 * @action: what to do, in this order; unused entries are 0.
 */
struct handover_step {
	enum handover_state to;
	enum handover_action action[HANDOVER_STEP_ACTIONS];
};

/** handover_next() - The step that @event leads to in @state. */
struct handover_step handover_next(enum handover_state state,
				   enum handover_event event);

/** handover_final() - MOVED, STAYED, RUNNING or REFUSED. */
bool handover_final(enum handover_state state);

/* Names for people and tests; "invalid" for what is none. */
const char *handover_state_name(enum handover_state state);
const char *handover_event_name(enum handover_event event);
const char *handover_action_name(enum handover_action action);

#endif
