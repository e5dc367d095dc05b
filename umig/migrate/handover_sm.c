// SPDX-License-Identifier: GPL-2.0
/*
 * The handover's two state machines: see handover_sm.h.
 *
 * DOC: What keeps a guest from running twice
 *
 * The source's permission to run the guest ends with its record, which is on
 * stable storage before GO leaves; the destination's begins with GO, and its
 * own record is on stable storage before the guest runs.  So whoever finds no
 * record at a destination that can't hear GO any more knows that the guest
 * never ran there; and whoever finds the source's record knows that the guest
 * may not be started there, whatever became of the processes.
 */
#include "migrate/handover_sm.h"

#define STEP(...) { __VA_ARGS__ }
#define DO(...) { __VA_ARGS__ }

/* Before GO everything that goes wrong gives the guest back. */
#define GIVE_BACK STEP(SOURCE_STAYED, DO(HANDOVER_START_GUEST))
#define UNRECORD STEP(SOURCE_STAYED, DO(HANDOVER_REMOVE_RECORD, \
					HANDOVER_START_GUEST))
#define ASK STEP(SOURCE_UNKNOWN, DO(HANDOVER_ASK_OPERATOR))
#define MOVE STEP(SOURCE_MOVED, DO(HANDOVER_MARK_RECORD, HANDOVER_DROP_GUEST))
#define GIVE_UP STEP(TARGET_REFUSED)
#define REFUSE STEP(TARGET_REFUSED, DO(HANDOVER_SEND_NOT_STARTED))
#define REFUSE_RECORDED STEP(TARGET_REFUSED, DO(HANDOVER_REMOVE_RECORD, \
						HANDOVER_SEND_NOT_STARTED))

static const struct handover_step
	steps[HANDOVER_STATES][HANDOVER_EVENTS] = {
	[SOURCE_PREPARING] = {
		[HANDOVER_READY] = STEP(SOURCE_RECORDING,
					DO(HANDOVER_WRITE_RECORD)),
		[HANDOVER_STARTED] = GIVE_BACK,	/* a lie: GO was not said */
		[HANDOVER_NOT_STARTED] = GIVE_BACK,
		[HANDOVER_GARBAGE] = GIVE_BACK,
		[HANDOVER_LINK_LOST] = GIVE_BACK,
		[HANDOVER_TIMEOUT] = GIVE_BACK,
		[HANDOVER_CANCEL] = GIVE_BACK,
	},
	[SOURCE_RECORDING] = {
		[HANDOVER_RECORD_WRITTEN] = STEP(SOURCE_WAITING,
						 DO(HANDOVER_SEND_GO)),
		[HANDOVER_RECORD_FAILED] = UNRECORD,
	},
	[SOURCE_WAITING] = {
		[HANDOVER_GO_UNSAID] = UNRECORD,
		[HANDOVER_STARTED] = MOVE,
		[HANDOVER_NOT_STARTED] = UNRECORD,
		[HANDOVER_READY] = ASK,
		[HANDOVER_GARBAGE] = ASK,
		[HANDOVER_LINK_LOST] = ASK,
		[HANDOVER_TIMEOUT] = ASK,
	},
	[SOURCE_UNKNOWN] = {
		[HANDOVER_STARTED] = MOVE,
		[HANDOVER_NOT_STARTED] = UNRECORD,
		[HANDOVER_READY] = STEP(SOURCE_UNKNOWN),
		[HANDOVER_GARBAGE] = STEP(SOURCE_UNKNOWN),
		[HANDOVER_LINK_LOST] = STEP(SOURCE_UNKNOWN),
		[HANDOVER_TIMEOUT] = STEP(SOURCE_UNKNOWN),
		[HANDOVER_SAID_MOVED] = MOVE,
		[HANDOVER_SAID_STAYED] = STEP(SOURCE_STAYED,
					      DO(HANDOVER_RESET_LINK,
						 HANDOVER_REMOVE_RECORD,
						 HANDOVER_START_GUEST)),
	},
	[SOURCE_RECORDED] = {
		[HANDOVER_SAID_MOVED] = STEP(SOURCE_MOVED,
					     DO(HANDOVER_MARK_RECORD)),
		[HANDOVER_SAID_STAYED] = STEP(SOURCE_STAYED,
					      DO(HANDOVER_REMOVE_RECORD)),
	},
	/* it has ended there, and is to be started here again */
	[SOURCE_MOVED] = {
		[HANDOVER_SAID_STAYED] = STEP(SOURCE_STAYED,
					      DO(HANDOVER_REMOVE_RECORD)),
	},
	[TARGET_RECEIVING] = {
		[HANDOVER_PREPARE] = STEP(TARGET_READY,
					  DO(HANDOVER_SEND_READY)),
		[HANDOVER_UNFIT] = REFUSE,
		[HANDOVER_GO] = REFUSE,
		[HANDOVER_NOT_STARTED] = GIVE_UP,
		[HANDOVER_GARBAGE] = REFUSE,
		[HANDOVER_LINK_LOST] = GIVE_UP,
		[HANDOVER_TIMEOUT] = REFUSE,
		[HANDOVER_CANCEL] = REFUSE,
	},
	[TARGET_READY] = {
		[HANDOVER_GO] = STEP(TARGET_RECORDING,
				     DO(HANDOVER_WRITE_RECORD)),
		[HANDOVER_NOT_STARTED] = GIVE_UP,
		[HANDOVER_GARBAGE] = REFUSE,
		[HANDOVER_LINK_LOST] = GIVE_UP,
		[HANDOVER_TIMEOUT] = REFUSE,
		[HANDOVER_CANCEL] = REFUSE,
	},
	[TARGET_RECORDING] = {
		[HANDOVER_RECORD_WRITTEN] = STEP(TARGET_STARTING,
						 DO(HANDOVER_START_GUEST)),
		[HANDOVER_RECORD_FAILED] = REFUSE_RECORDED,
	},
	[TARGET_STARTING] = {
		[HANDOVER_START_OK] = STEP(TARGET_RUNNING,
					   DO(HANDOVER_SEND_STARTED,
					      HANDOVER_MARK_RECORD)),
		[HANDOVER_START_FAILED] = REFUSE_RECORDED,
	},
	[TARGET_RECORDED] = {
		[HANDOVER_SAID_MOVED] = STEP(TARGET_RUNNING,
					     DO(HANDOVER_MARK_RECORD)),
		[HANDOVER_SAID_STAYED] = STEP(TARGET_REFUSED,
					      DO(HANDOVER_REMOVE_RECORD)),
	},
	/* it runs here, whatever the link or the source do now */
	[TARGET_RUNNING] = {
		[HANDOVER_GO] = STEP(TARGET_RUNNING),
		[HANDOVER_NOT_STARTED] = STEP(TARGET_RUNNING),
		[HANDOVER_GARBAGE] = STEP(TARGET_RUNNING),
		[HANDOVER_LINK_LOST] = STEP(TARGET_RUNNING),
		[HANDOVER_TIMEOUT] = STEP(TARGET_RUNNING),
		[HANDOVER_CANCEL] = STEP(TARGET_RUNNING),
	},
};

#define STATE(s) [s] = #s
#define NAME(n) [HANDOVER_##n] = #n

static const char *const state_names[] = {
	STATE(SOURCE_PREPARING), STATE(SOURCE_RECORDING),
	STATE(SOURCE_WAITING), STATE(SOURCE_UNKNOWN),
	STATE(SOURCE_RECORDED), STATE(SOURCE_MOVED), STATE(SOURCE_STAYED),
	STATE(TARGET_RECEIVING), STATE(TARGET_READY),
	STATE(TARGET_RECORDING), STATE(TARGET_STARTING),
	STATE(TARGET_RECORDED), STATE(TARGET_RUNNING), STATE(TARGET_REFUSED),
};

static const char *const event_names[] = {
	NAME(PREPARE), NAME(UNFIT), NAME(READY), NAME(GO), NAME(STARTED),
	NAME(NOT_STARTED), NAME(GARBAGE), NAME(LINK_LOST), NAME(TIMEOUT),
	NAME(CANCEL), NAME(RECORD_WRITTEN), NAME(RECORD_FAILED),
	NAME(GO_UNSAID), NAME(START_OK), NAME(START_FAILED),
	NAME(SAID_MOVED), NAME(SAID_STAYED),
};

static const char *const action_names[] = {
	NAME(SEND_READY), NAME(SEND_GO), NAME(SEND_STARTED),
	NAME(SEND_NOT_STARTED), NAME(WRITE_RECORD), NAME(MARK_RECORD),
	NAME(REMOVE_RECORD), NAME(START_GUEST), NAME(DROP_GUEST),
	NAME(RESET_LINK), NAME(ASK_OPERATOR),
};

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

_Static_assert(LENGTH(state_names) == HANDOVER_STATES, "a name each");
_Static_assert(LENGTH(event_names) == HANDOVER_EVENTS, "a name each");
_Static_assert(LENGTH(action_names) == HANDOVER_ACTIONS, "a name each");

struct handover_step handover_next(enum handover_state state,
				   enum handover_event event)
{
	if (state <= 0 || state >= HANDOVER_STATES || event <= 0 ||
	    event >= HANDOVER_EVENTS)
		return (struct handover_step){ 0 };
	return steps[state][event];
}

bool handover_final(enum handover_state state)
{
	return state == SOURCE_MOVED || state == SOURCE_STAYED ||
	       state == TARGET_RUNNING || state == TARGET_REFUSED;
}

const char *handover_state_name(enum handover_state state)
{
	return state > 0 && state < HANDOVER_STATES ? state_names[state] :
						      "invalid";
}

const char *handover_event_name(enum handover_event event)
{
	return event > 0 && event < HANDOVER_EVENTS ? event_names[event] :
						      "invalid";
}

const char *handover_action_name(enum handover_action action)
{
	return action > 0 && action < HANDOVER_ACTIONS ?
		       action_names[action] : "invalid";
}
