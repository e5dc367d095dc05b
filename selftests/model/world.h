/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The handover's world for the model checker: a source, a destination, the
 * link between them, what each has on stable storage, the supervisors that
 * start VMs, and an operator who follows the manual.  What the two ends do
 * comes from handover_next(), the function that the engine steps through.
 *
 * A world is a value of 64 bits; world_expand() lists all that may happen next
 * in it.  An end's actions happen one by one, so that it may die between any
 * two of them.
 */
#ifndef SELFTESTS_MODEL_WORLD_H
#define SELFTESTS_MODEL_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "migrate/handover_sm.h"

/** enum memory - What the source's process has of the guest. */
enum memory {
	MEMORY_NONE = 0,
	MEMORY_STOPPED = 1,
	MEMORY_RUNS = 2,
};

/** enum record - What an end has on stable storage. */
enum record {
	RECORD_NONE = 0,
	RECORD_UNSETTLED = 1,	/* GO may have been said, the guest may run */
	RECORD_SETTLED = 2,	/* the guest is the destination's */
	RECORD_ELSEWHERE = 3,	/* it once moved from here: the destination's,
				 * of a handover before this one
				 */
};

/** enum seen - What the operator saw at the destination. */
enum seen {
	SEEN_NOTHING = 0,
	SEEN_NEVER = 1,		/* it never ran, and no process is left */
	SEEN_RAN = 2,		/* it runs, or may have run */
};

/* Messages on their way: bits of world.link.  Each is sent at most once. */
enum {
	LINK_PREPARE = 1,
	LINK_GO = 2,
	LINK_READY = 4,
	LINK_STARTED = 8,
	LINK_NOT_STARTED = 16,
	LINK_TO_TARGET = LINK_PREPARE | LINK_GO,
	LINK_TO_SOURCE = LINK_READY | LINK_STARTED | LINK_NOT_STARTED,
};

/** enum flaw - What is wrong with a world, 0: nothing. */
enum flaw {
	FLAW_NONE = 0,
	FLAW_TWO_RUN = 1,	/* the guest runs at both ends */
	FLAW_BACK_IN_TIME = 2,	/* it runs here after it ran there */
	FLAW_DROPPED = 3,	/* its memory was dropped too early */
	FLAW_LOST = 4,		/* to be started, but its memory is gone */
	FLAW_UNHANDLED = 5,	/* an event without a step */
	FLAW_STUCK = 6,		/* no way to a settled world (explore.c) */
	FLAWS
};

/**
 * union world - One state of everything.
 * @source, @target: &enum handover_state.
 * @s_alive, @t_alive: there is a process.
 * @memory: &enum memory.
 * @s_record, @t_record: &enum record.
 * @told: STARTED was heard, or the operator said moved.
 * @runs: the guest runs at the destination.
 * @ran: it has at some time.
 * @back: the guest comes back to where it once ran: a supervisor there starts it
 *	whenever no record forbids that.
 * @s_lost, @t_lost: that end has noticed that the connection is gone.
 * @s_todo0.., @t_todo0..: &enum handover_action still to be done, in order.
 * @link: messages on their way.
 * @cut: the connection is broken; what is on its way may yet arrive.
 * @seen: &enum seen.
 * @flaw: &enum flaw.
 */
union world {
	struct {
		uint64_t source : 4;
		uint64_t s_alive : 1;
		uint64_t memory : 2;
		uint64_t s_record : 2;
		uint64_t told : 1;
		uint64_t s_lost : 1;
		uint64_t s_todo0 : 4;
		uint64_t s_todo1 : 4;
		uint64_t s_todo2 : 4;
		uint64_t target : 4;
		uint64_t t_alive : 1;
		uint64_t runs : 1;
		uint64_t ran : 1;
		uint64_t back : 1;
		uint64_t t_record : 2;
		uint64_t t_lost : 1;
		uint64_t t_todo0 : 4;
		uint64_t t_todo1 : 4;
		uint64_t t_todo2 : 4;
		uint64_t link : 5;
		uint64_t cut : 1;
		uint64_t seen : 2;
		uint64_t flaw : 3;
	};
	uint64_t key;
};

_Static_assert(sizeof(union world) == 8, "a world is a number");
_Static_assert(HANDOVER_STATES <= 16 && HANDOVER_ACTIONS <= 16,
	       "states and actions fit four bits");

/**
 * struct variant - A protocol to check.
 * @name: for the report; NULL ends a table.
 * @breaks: what is wrong with it, in words.
 * @flaw: which flaw that must lead to.
 * @rule: steps that replace those of handover_next(); unused: state 0.
 * @hasty_operator: the operator settles without ending umig listen.
 * @forgets_last: undoing a record also removes the settled one before it.
 */
struct variant {
	const char *name;
	const char *breaks;
	enum flaw flaw;
	struct {
		enum handover_state state;
		enum handover_event event;
		struct handover_step step;
	} rule[6];
	bool hasty_operator;
	bool forgets_last;
};

/**
 * struct rules - What world_expand() goes by.
 * @variant: the protocol.
 * @ordered: the link is a stream: in order, each once, lost only when it is
 *	cut.  Else it may lose, repeat and reorder whatever it carries.
 * @back: the guest comes back to a host that it left before.
 */
struct rules {
	const struct variant *variant;
	bool ordered;
	bool back;
};

/**
 * typedef world_next_fn - Told of one thing that may happen.
 * @label: in words.
 * @fault: a crash, a cut, a loss, a failure, a cancel: what nobody may count on
 *	to settle anything.
 */
typedef void world_next_fn(void *arg, union world to, const char *label,
			   bool fault);

/** world_first() - PREPARE has just been said. */
union world world_first(const struct rules *rules);

/** world_expand() - All that may happen in @w. */
void world_expand(const struct rules *rules, union world w,
		  world_next_fn *next, void *arg);

/** world_settled() - The guest is one end's, and both know. */
bool world_settled(union world w);

/** world_print() - One line of TAP diagnostics. */
void world_print(union world w);

const char *world_flaw(enum flaw flaw);

#endif
