// SPDX-License-Identifier: GPL-2.0
/*
 * The handover's protocol, checked in every world that can be reached; and
 * protocols that are broken on purpose, each of which must be caught.
 *
 *	handover_model_test [--broken NAME]
 */
#include <stdio.h>
#include <string.h>

#include "model/explore.h"

#define STEP(...) { __VA_ARGS__ }
#define DO(...) { __VA_ARGS__ }
#define TAKE_BACK STEP(SOURCE_STAYED, DO(HANDOVER_REMOVE_RECORD, \
					 HANDOVER_START_GUEST))

static const struct variant broken[] = {
	{
		"timeout-means-no",
		"the source takes the guest back when STARTED is late",
		FLAW_TWO_RUN,
		{ { SOURCE_WAITING, HANDOVER_TIMEOUT, TAKE_BACK } },
	}, {
		"link-loss-means-no",
		"the source takes a link that broke with GO for GO unsaid",
		FLAW_TWO_RUN,
		{ { SOURCE_WAITING, HANDOVER_LINK_LOST, TAKE_BACK } },
	}, {
		"unknown-gives-up",
		"the source, in doubt, takes the guest back when the link goes",
		FLAW_TWO_RUN,
		{ { SOURCE_UNKNOWN, HANDOVER_LINK_LOST, TAKE_BACK } },
	}, {
		"starts-at-ready",
		"the destination starts the guest without waiting for GO",
		FLAW_TWO_RUN,
		{ { TARGET_RECEIVING, HANDOVER_PREPARE,
		    STEP(TARGET_STARTING, DO(HANDOVER_SEND_READY,
					     HANDOVER_START_GUEST)) } },
	}, {
		"no-record-before-go",
		"the source says GO before its record is on stable storage",
		FLAW_TWO_RUN,
		{ { SOURCE_PREPARING, HANDOVER_READY,
		    STEP(SOURCE_WAITING, DO(HANDOVER_SEND_GO)) } },
	}, {
		"record-failure-ignored",
		"the source says GO although its record could not be written",
		FLAW_TWO_RUN,
		{ { SOURCE_RECORDING, HANDOVER_RECORD_FAILED,
		    STEP(SOURCE_WAITING, DO(HANDOVER_SEND_GO)) } },
	}, {
		"forgets-at-started",
		"the source removes its record once the guest has moved",
		FLAW_TWO_RUN,
		{ { SOURCE_WAITING, HANDOVER_STARTED,
		    STEP(SOURCE_MOVED, DO(HANDOVER_REMOVE_RECORD,
					  HANDOVER_DROP_GUEST)) } },
	}, {
		"no-record-at-the-destination",
		"the destination starts the guest and leaves no trace of it",
		FLAW_BACK_IN_TIME,
		{ { TARGET_READY, HANDOVER_GO,
		    STEP(TARGET_STARTING, DO(HANDOVER_START_GUEST)) },
		  { TARGET_STARTING, HANDOVER_START_OK,
		    STEP(TARGET_RUNNING, DO(HANDOVER_SEND_STARTED)) } },
	}, {
		"late-error",
		"the destination says NOT_STARTED for an error after the start",
		FLAW_TWO_RUN,
		{ { TARGET_RUNNING, HANDOVER_CANCEL,
		    STEP(TARGET_RUNNING, DO(HANDOVER_SEND_NOT_STARTED)) } },
	}, {
		"cancel-is-not-final",
		"the destination says CANCEL behind READY, and still takes GO",
		FLAW_TWO_RUN,
		{ { TARGET_READY, HANDOVER_CANCEL,
		    STEP(TARGET_READY, DO(HANDOVER_SEND_NOT_STARTED)) } },
	}, {
		"drops-at-go",
		"the source drops the guest's memory when it says GO",
		FLAW_DROPPED,
		{ { SOURCE_RECORDING, HANDOVER_RECORD_WRITTEN,
		    STEP(SOURCE_WAITING, DO(HANDOVER_SEND_GO,
					    HANDOVER_DROP_GUEST)) } },
	}, {
		"unknown-for-ever",
		"a source in doubt can't be settled by its operator",
		FLAW_STUCK,
		{ { SOURCE_UNKNOWN, HANDOVER_SAID_MOVED, STEP(SOURCE_UNKNOWN) },
		  { SOURCE_UNKNOWN, HANDOVER_SAID_STAYED,
		    STEP(SOURCE_UNKNOWN) } },
	}, {
		"record-for-ever",
		"a record that a dead source left behind can't be settled",
		FLAW_STUCK,
		{ { SOURCE_RECORDED, HANDOVER_SAID_STAYED,
		    STEP(SOURCE_RECORDED) } },
	}, {
		"waits-for-ever",
		"nothing ends the destination's wait for GO",
		FLAW_STUCK,
		{ { TARGET_READY, HANDOVER_LINK_LOST, STEP(TARGET_READY) },
		  { TARGET_READY, HANDOVER_TIMEOUT, STEP(TARGET_READY) },
		  { TARGET_READY, HANDOVER_CANCEL, STEP(TARGET_READY) } },
	}, {
		"hasty-operator",
		"the operator says --stayed without ending umig listen first",
		FLAW_TWO_RUN,
		.hasty_operator = true,
	}, {
		"undo-forgets",
		"a handover that came to nothing removes the record that the guest moved away before",
		FLAW_TWO_RUN,
		.forgets_last = true,
	},
	{ 0 }
};

static unsigned int tests;
static unsigned int failed;

static void ok(bool is, const char *what, const char *more)
{
	printf("%sok %u - %s%s%s\n", is ? "" : "not ", ++tests, what,
	       *more ? ": " : "", more);
	failed += !is;
}

static void check_protocol(bool ordered, bool back, const char *what)
{
	const struct rules rules = { .ordered = ordered, .back = back };
	const unsigned int all = (1U << HANDOVER_STATES) - 2;
	struct explored e = explore(&rules);

	printf("# %s: %zu states, %zu transitions, %zu settled\n", what,
	       e.states, e.transitions, e.settled);
	ok(!e.flaw, what, "never two, never none, always a way back");
	ok(e.seen == all, what, "every state of both ends was reached");
}

static struct rules broken_rules(const struct variant *v)
{
	return (struct rules){
		.variant = v, .ordered = true, .back = v->forgets_last,
	};
}

static void check_broken(const struct variant *v)
{
	const struct rules rules = broken_rules(v);
	struct explored e;

	printf("# %s: %s\n", v->name, v->breaks);
	e = explore(&rules);
	printf("# %s: %zu states, %zu transitions\n", v->name, e.states,
	       e.transitions);
	ok(e.flaw == v->flaw, v->name, "is caught");
}

/* For people: one broken protocol alone; fails, since it is broken. */
static int show(const char *name)
{
	const struct variant *v;
	struct rules rules;

	for (v = broken; v->name; v++) {
		if (strcmp(v->name, name))
			continue;
		printf("# %s\n", v->breaks);
		rules = broken_rules(v);
		return explore(&rules).flaw != 0;
	}
	fprintf(stderr, "there is no broken protocol \"%s\"; there are:\n",
		name);
	for (v = broken; v->name; v++)
		fprintf(stderr, "  %-30s%s\n", v->name, v->breaks);
	return 2;
}

int main(int argc, char **argv)
{
	const struct variant *v;

	if (argc == 3 && !strcmp(argv[1], "--broken"))
		return show(argv[2]);
	check_protocol(true, false, "a link that keeps order");
	check_protocol(false, false, "a link that loses, repeats and reorders");
	check_protocol(true, true, "the guest comes back, in order");
	check_protocol(false, true, "the guest comes back, over any link");
	for (v = broken; v->name; v++)
		check_broken(v);
	printf("1..%u\n", tests);
	return failed != 0;
}
