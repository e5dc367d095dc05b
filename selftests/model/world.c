// SPDX-License-Identifier: GPL-2.0
/*
 * The handover's world: see world.h.
 */
#include "model/world.h"

#include <stdio.h>

/* One expansion under way. */
struct expand {
	const struct rules *rules;
	world_next_fn *next;
	void *arg;
};

static void emit(const struct expand *x, union world to, const char *label,
		 bool fault)
{
	if (!to.flaw && to.memory == MEMORY_RUNS && to.ran)
		to.flaw = to.runs ? FLAW_TWO_RUN : FLAW_BACK_IN_TIME;
	x->next(x->arg, to, label, fault);
}

static struct handover_step next_of(const struct expand *x,
				    enum handover_state state,
				    enum handover_event event)
{
	const struct variant *v = x->rules->variant;
	unsigned int i;

	for (i = 0; v && i < 6 && v->rule[i].state; i++)
		if (v->rule[i].state == state && v->rule[i].event == event)
			return v->rule[i].step;
	return handover_next(state, event);
}

/* Something happens to an end: its next state, and its actions. */

static union world at_source(const struct expand *x, union world w,
			     enum handover_event event)
{
	struct handover_step step = next_of(x, w.source, event);

	if (!step.to) {
		w.flaw = FLAW_UNHANDLED;
		return w;
	}
	w.source = step.to;
	w.s_todo0 = step.action[0];
	w.s_todo1 = step.action[1];
	w.s_todo2 = step.action[2];
	return w;
}

static union world at_target(const struct expand *x, union world w,
			     enum handover_event event)
{
	struct handover_step step = next_of(x, w.target, event);

	if (!step.to) {
		w.flaw = FLAW_UNHANDLED;
		return w;
	}
	w.target = step.to;
	w.t_todo0 = step.action[0];
	w.t_todo1 = step.action[1];
	w.t_todo2 = step.action[2];
	return w;
}

/* A process ends; what remains is what its record says. */

static union world source_dies(union world w)
{
	static const enum handover_state by_record[] = {
		[RECORD_NONE] = SOURCE_STAYED,
		[RECORD_UNSETTLED] = SOURCE_RECORDED,
		[RECORD_SETTLED] = SOURCE_MOVED,
	};

	w.s_alive = w.s_lost = w.s_todo0 = w.s_todo1 = w.s_todo2 = 0;
	w.memory = MEMORY_NONE;
	w.cut = 1;
	w.source = by_record[w.s_record];
	return w;
}

static union world target_dies(union world w)
{
	static const enum handover_state by_record[] = {
		[RECORD_NONE] = TARGET_REFUSED,
		[RECORD_UNSETTLED] = TARGET_RECORDED,
		[RECORD_SETTLED] = TARGET_RUNNING,
		[RECORD_ELSEWHERE] = TARGET_REFUSED,
	};

	w.t_alive = w.t_lost = w.t_todo0 = w.t_todo1 = w.t_todo2 = 0;
	w.runs = 0;
	w.cut = 1;
	w.target = by_record[w.t_record];
	return w;
}

static union world send(union world w, unsigned int message)
{
	if (!w.cut)
		w.link |= message;
	return w;
}

/* GO leaves, or not a byte of it does, or nobody can tell. */
static void source_says_go(const struct expand *x, union world w)
{
	union world cut = w;

	if (!w.cut)
		emit(x, send(w, LINK_GO), "source says GO", false);
	cut.cut = 1;
	emit(x, at_source(x, cut, HANDOVER_GO_UNSAID),
	     "source finds the link broken before GO", !w.cut);
	cut = send(w, LINK_GO);
	cut.cut = cut.s_lost = 1;
	emit(x, at_source(x, cut, HANDOVER_LINK_LOST),
	     "source says GO as the link breaks", true);
}

static void source_writes_record(const struct expand *x, union world w)
{
	emit(x, at_source(x, w, HANDOVER_RECORD_FAILED),
	     "source fails to write its record", true);
	w.s_record = RECORD_UNSETTLED;
	emit(x, at_source(x, w, HANDOVER_RECORD_FAILED),
	     "source fails to make sure of its record", true);
	emit(x, at_source(x, w, HANDOVER_RECORD_WRITTEN),
	     "source writes its record", false);
}

static void source_starts(const struct expand *x, union world w)
{
	if (w.memory == MEMORY_NONE)
		w.flaw = FLAW_LOST;
	w.memory = MEMORY_RUNS;
	emit(x, w, "source lets the guest run on", false);
}

static void source_drops(const struct expand *x, union world w)
{
	if (!w.told)
		w.flaw = FLAW_DROPPED;
	w.memory = MEMORY_NONE;
	emit(x, w, "source drops the guest's memory", false);
}

static void source_changes_record(const struct expand *x, union world w,
				  enum record to, const char *label)
{
	/* umig settle fails, ends, and can be tried again */
	emit(x, w.s_alive ? w : source_dies(w),
	     "source fails to change its record", true);
	w.s_record = to;
	emit(x, w, label, false);
}

/* The destination's kernel may hold GO already: a reset can't count on it. */
static void source_resets(const struct expand *x, union world w)
{
	w.cut = w.s_lost = 1;
	if (w.link & LINK_TO_TARGET)
		emit(x, w, "source resets the link, too late for GO", true);
	w.link &= ~LINK_TO_TARGET;
	emit(x, w, "source resets the link", false);
}

static void source_acts(const struct expand *x, union world w)
{
	enum handover_action action = w.s_todo0;

	w.s_todo0 = w.s_todo1;
	w.s_todo1 = w.s_todo2;
	w.s_todo2 = 0;
	switch (action) {
	case HANDOVER_SEND_GO:
		return source_says_go(x, w);
	case HANDOVER_WRITE_RECORD:
		return source_writes_record(x, w);
	case HANDOVER_MARK_RECORD:
		return source_changes_record(x, w, RECORD_SETTLED,
					     "source notes that it has moved");
	case HANDOVER_REMOVE_RECORD:
		return source_changes_record(x, w, RECORD_NONE,
					     "source removes its record");
	case HANDOVER_START_GUEST:
		return source_starts(x, w);
	case HANDOVER_DROP_GUEST:
		return source_drops(x, w);
	case HANDOVER_RESET_LINK:
		return source_resets(x, w);
	default:
		return emit(x, w, "source asks for the operator", false);
	}
}

static void target_writes_record(const struct expand *x, union world w)
{
	emit(x, at_target(x, w, HANDOVER_RECORD_FAILED),
	     "destination fails to write its record", true);
	w.t_record = RECORD_UNSETTLED;
	emit(x, at_target(x, w, HANDOVER_RECORD_FAILED),
	     "destination fails to make sure of its record", true);
	emit(x, at_target(x, w, HANDOVER_RECORD_WRITTEN),
	     "destination writes its record", false);
}

static void target_starts(const struct expand *x, union world w)
{
	emit(x, at_target(x, w, HANDOVER_START_FAILED),
	     "destination fails to start the guest", true);
	w.runs = w.ran = 1;
	emit(x, at_target(x, w, HANDOVER_START_OK),
	     "destination starts the guest", false);
}

static void target_changes_record(const struct expand *x, union world w,
				  enum record to, const char *label)
{
	emit(x, w.t_alive ? w : target_dies(w),
	     "destination fails to change its record", true);
	w.t_record = to;
	emit(x, w, label, false);
}

/* What an undone record took the place of holds again. */
static enum record record_before(const struct expand *x, union world w)
{
	bool forgets = x->rules->variant && x->rules->variant->forgets_last;

	return w.back && !forgets ? RECORD_ELSEWHERE : RECORD_NONE;
}

static void target_acts(const struct expand *x, union world w)
{
	enum handover_action action = w.t_todo0;

	w.t_todo0 = w.t_todo1;
	w.t_todo1 = w.t_todo2;
	w.t_todo2 = 0;
	switch (action) {
	case HANDOVER_SEND_READY:
		return emit(x, send(w, LINK_READY), "destination says READY",
			    false);
	case HANDOVER_SEND_STARTED:
		return emit(x, send(w, LINK_STARTED),
			    "destination says STARTED", false);
	case HANDOVER_SEND_NOT_STARTED:
		return emit(x, send(w, LINK_NOT_STARTED),
			    "destination says NOT_STARTED", false);
	case HANDOVER_WRITE_RECORD:
		return target_writes_record(x, w);
	case HANDOVER_MARK_RECORD:
		return target_changes_record(x, w, RECORD_SETTLED,
					     "destination notes that it runs");
	case HANDOVER_REMOVE_RECORD:
		return target_changes_record(x, w, record_before(x, w),
					     "destination removes its record");
	default:
		return target_starts(x, w);
	}
}

/* The link. */

static void source_hears(const struct expand *x, union world w,
			 unsigned int message)
{
	if (message == LINK_READY)
		emit(x, at_source(x, w, HANDOVER_READY), "source hears READY",
		     false);
	if (message == LINK_NOT_STARTED)
		emit(x, at_source(x, w, HANDOVER_NOT_STARTED),
		     "source hears NOT_STARTED", false);
	if (message != LINK_STARTED)
		return;
	w.told = 1;
	emit(x, at_source(x, w, HANDOVER_STARTED), "source hears STARTED",
	     false);
}

static void target_hears(const struct expand *x, union world w,
			 unsigned int message)
{
	if (message == LINK_GO) {
		emit(x, at_target(x, w, HANDOVER_GO), "destination hears GO",
		     false);
	} else if (w.target != TARGET_RECEIVING) {
		emit(x, at_target(x, w, HANDOVER_GARBAGE),
		     "destination hears PREPARE again", false);
	} else {
		emit(x, at_target(x, w, HANDOVER_PREPARE),
		     "destination hears PREPARE, and is fit", false);
		emit(x, at_target(x, w, HANDOVER_UNFIT),
		     "destination hears PREPARE, and is unfit", true);
	}
}

static bool source_listens(union world w)
{
	return w.s_alive && !w.s_todo0 && !w.s_lost &&
	       (w.source == SOURCE_PREPARING || w.source == SOURCE_WAITING ||
		w.source == SOURCE_UNKNOWN);
}

static bool target_listens(union world w)
{
	return w.t_alive && !w.t_todo0 && !w.t_lost &&
	       (w.target == TARGET_RECEIVING || w.target == TARGET_READY ||
		w.target == TARGET_RUNNING);
}

static void arrives(const struct expand *x, union world w,
		    unsigned int message)
{
	bool to_source = message & LINK_TO_SOURCE;
	unsigned int way = to_source ? LINK_TO_SOURCE : LINK_TO_TARGET;
	union world once = w;

	if (!(w.link & message) ||
	    !(to_source ? source_listens(w) : target_listens(w)))
		return;
	/* bits are in the order in which messages are sent */
	if (x->rules->ordered && w.link & way & (message - 1))
		return;
	once.link &= ~message;
	to_source ? source_hears(x, once, message) :
		    target_hears(x, once, message);
	if (x->rules->ordered)
		return;
	to_source ? source_hears(x, w, message) : target_hears(x, w, message);
}

static void link_fails(const struct expand *x, union world w)
{
	union world after = w;
	unsigned int bit;

	for (bit = 1; bit <= LINK_NOT_STARTED; bit <<= 1) {
		arrives(x, w, bit);
		after.link = w.link & ~bit;
		if (w.link & bit && (!x->rules->ordered || w.cut))
			emit(x, after, "a message is lost", true);
	}
	after = w;
	after.cut = 1;
	if (!w.cut)
		emit(x, after, "the link breaks", true);
}

/* What an end notices by itself. */

static void source_notices(const struct expand *x, union world w)
{
	union world lost = w;

	if (!source_listens(w))
		return;
	lost.s_lost = 1;
	if (w.cut)
		emit(x, at_source(x, lost, HANDOVER_LINK_LOST),
		     "source finds the link broken", false);
	emit(x, at_source(x, w, HANDOVER_TIMEOUT),
	     "source waits no longer", false);
	if (w.source == SOURCE_PREPARING)
		emit(x, at_source(x, w, HANDOVER_CANCEL),
		     "source is told to cancel", true);
}

static void target_notices(const struct expand *x, union world w)
{
	union world lost = w;

	if (!target_listens(w))
		return;
	lost.t_lost = 1;
	if (w.cut)
		emit(x, at_target(x, lost, HANDOVER_LINK_LOST),
		     "destination finds the link broken", false);
	emit(x, at_target(x, w, HANDOVER_TIMEOUT),
	     "destination waits no longer", false);
	/* also what the operator is told to do before settling */
	emit(x, at_target(x, w, HANDOVER_CANCEL),
	     "destination is told to quit", false);
}

/* Processes end, and are started again. */

static void source_process(const struct expand *x, union world w)
{
	union world cold = w;

	/* umig settle on a record is a process, too */
	if (w.s_alive || w.s_todo0)
		emit(x, source_dies(w), "source dies", true);
	if (w.s_alive && !w.s_todo0 && w.source == SOURCE_MOVED)
		emit(x, source_dies(w), "source ends", false);
	if (w.s_alive || w.s_todo0 || w.s_record != RECORD_NONE)
		return;
	cold.s_alive = 1;
	cold.source = SOURCE_STAYED;
	cold.memory = MEMORY_RUNS;
	emit(x, cold, "supervisor boots the VM at the source", false);
}

static void target_process(const struct expand *x, union world w)
{
	union world cold = w;

	if (w.t_alive || w.t_todo0)
		emit(x, target_dies(w), "destination dies", true);
	if (w.t_alive && !w.t_todo0 && w.target == TARGET_REFUSED)
		emit(x, target_dies(w), "destination ends", false);
	if (w.t_alive || w.t_todo0 ||
	    !(w.t_record == RECORD_SETTLED ||
	      (w.back && w.t_record == RECORD_NONE)))
		return;
	cold.t_alive = 1;
	cold.target = TARGET_RUNNING;
	cold.runs = cold.ran = 1;
	emit(x, cold, "supervisor boots the VM at the destination", false);
}

/* The operator, as Documentation/handover.rst says. */

static enum seen look(const struct expand *x, union world w)
{
	bool hasty = x->rules->variant && x->rules->variant->hasty_operator;

	if (w.t_alive && w.target == TARGET_RUNNING)
		return SEEN_RAN;
	/* one thing at a time: not while umig settle works on that record */
	if (w.t_alive || w.t_todo0)
		return hasty && w.target == TARGET_READY ? SEEN_NEVER :
							   SEEN_NOTHING;
	return w.t_record == RECORD_NONE || w.t_record == RECORD_ELSEWHERE ?
		       SEEN_NEVER : SEEN_RAN;
}

static bool is_source_unsettled(union world w)
{
	return !w.s_todo0 &&
	       (w.source == SOURCE_UNKNOWN || w.source == SOURCE_RECORDED);
}

static void settle_source(const struct expand *x, union world w)
{
	enum seen seen = w.seen;

	w.seen = SEEN_NOTHING;
	if (!is_source_unsettled(w)) {
		emit(x, w, "operator finds nothing to settle", false);
	} else if (seen == SEEN_NEVER) {
		emit(x, at_source(x, w, HANDOVER_SAID_STAYED),
		     "operator settles the source: stayed", false);
	} else {
		w.told = 1;
		emit(x, at_source(x, w, HANDOVER_SAID_MOVED),
		     "operator settles the source: moved", false);
	}
}

static void operator(const struct expand *x, union world w)
{
	union world after = w;

	if (w.seen) {
		settle_source(x, w);
	} else if (is_source_unsettled(w) && look(x, w)) {
		after.seen = look(x, w);
		emit(x, after, after.seen == SEEN_RAN ?
		     "operator sees that it ran at the destination" :
		     "operator sees that it never ran at the destination",
		     false);
	}
	/* the source first; then the destination likewise */
	if (w.t_alive || w.t_todo0 || w.target != TARGET_RECORDED ||
	    w.s_todo0 || w.seen)
		return;
	if (w.source == SOURCE_MOVED)
		emit(x, at_target(x, w, HANDOVER_SAID_MOVED),
		     "operator settles the destination: moved", false);
	if (w.source == SOURCE_STAYED)
		emit(x, at_target(x, w, HANDOVER_SAID_STAYED),
		     "operator settles the destination: stayed", false);
}

union world world_first(const struct rules *rules)
{
	return (union world){
		.source = SOURCE_PREPARING,
		.s_alive = 1,
		.memory = MEMORY_STOPPED,
		.target = TARGET_RECEIVING,
		.t_alive = 1,
		.t_record = rules->back ? RECORD_ELSEWHERE : RECORD_NONE,
		.back = rules->back,
		.link = LINK_PREPARE,
	};
}

void world_expand(const struct rules *rules, union world w,
		  world_next_fn *next, void *arg)
{
	const struct expand x = { rules, next, arg };

	if (w.s_todo0)
		source_acts(&x, w);
	if (w.t_todo0)
		target_acts(&x, w);
	link_fails(&x, w);
	source_notices(&x, w);
	target_notices(&x, w);
	source_process(&x, w);
	target_process(&x, w);
	operator(&x, w);
}

bool world_settled(union world w)
{
	if (w.s_todo0 || w.t_todo0)
		return false;
	if (w.source == SOURCE_STAYED)
		return (w.memory == MEMORY_RUNS ||
			(!w.s_alive && w.s_record == RECORD_NONE)) &&
		       w.target == TARGET_REFUSED;
	return w.source == SOURCE_MOVED && w.s_record == RECORD_SETTLED &&
	       w.target == TARGET_RUNNING &&
	       (w.runs || w.t_record == RECORD_SETTLED);
}

void world_print(union world w)
{
	static const char *const memory[] = { "gone", "stopped", "runs" };
	static const char *const record[] = {
		"none", "unsettled", "settled", "elsewhere",
	};

	printf("#     %s%s, guest %s, record %s | %s%s, guest %s, record %s |%s%s%s%s%s%s\n",
	       handover_state_name(w.source), w.s_alive ? "" : " (dead)",
	       memory[w.memory], record[w.s_record],
	       handover_state_name(w.target), w.t_alive ? "" : " (dead)",
	       w.runs ? "runs" : w.ran ? "ran" : "never ran",
	       record[w.t_record], w.link & LINK_PREPARE ? " PREPARE" : "",
	       w.link & LINK_GO ? " GO" : "", w.link & LINK_READY ? " READY" : "",
	       w.link & LINK_STARTED ? " STARTED" : "",
	       w.link & LINK_NOT_STARTED ? " NOT_STARTED" : "",
	       w.cut ? " (cut)" : "");
}

const char *world_flaw(enum flaw flaw)
{
	static const char *const text[FLAWS] = {
		"none",
		"the guest runs at both ends",
		"the guest runs at the source after it ran at the destination",
		"the source dropped the guest's memory before it was told",
		"the source is to start a guest whose memory is gone",
		"an event without a step",
		"nothing that is sure to happen leads to a settled guest",
	};

	return flaw < FLAWS ? text[flaw] : "invalid";
}
