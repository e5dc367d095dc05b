// SPDX-License-Identifier: GPL-2.0
/*
 * The handover's tables, rule by rule.  That they hold together is the model
 * checker's to show (selftests/model); here is what a careless edit breaks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "migrate/handover_sm.h"

/* Call @f for each step that there is. */
static void each_step(void (*f)(enum handover_state from,
				enum handover_event event,
				const struct handover_step *step))
{
	struct handover_step step;
	int s, e;

	for (s = 1; s < HANDOVER_STATES; s++)
		for (e = 1; e < HANDOVER_EVENTS; e++) {
			step = handover_next(s, e);
			if (step.to)
				f(s, e, &step);
		}
}

static bool is_source(enum handover_state s)
{
	return s <= SOURCE_STAYED;
}

static bool does(const struct handover_step *step, enum handover_action what)
{
	unsigned int i;

	for (i = 0; i < HANDOVER_STEP_ACTIONS; i++)
		if (step->action[i] == what)
			return true;
	return false;
}

static void check_sides(enum handover_state from, enum handover_event event,
			const struct handover_step *step)
{
	(void)event;
	assert_int_equal(is_source(from), is_source(step->to));
	if (is_source(from)) {
		assert_false(does(step, HANDOVER_SEND_READY));
		assert_false(does(step, HANDOVER_SEND_STARTED));
		assert_false(does(step, HANDOVER_SEND_NOT_STARTED));
	} else {
		assert_false(does(step, HANDOVER_SEND_GO));
		assert_false(does(step, HANDOVER_DROP_GUEST));
		assert_false(does(step, HANDOVER_RESET_LINK));
		assert_false(does(step, HANDOVER_ASK_OPERATOR));
	}
}

static void a_step_stays_on_its_side(void **state)
{
	(void)state;
	each_step(check_sides);
}

static void check_record(enum handover_state from, enum handover_event event,
			 const struct handover_step *step)
{
	if (does(step, HANDOVER_SEND_GO) ||
	    (!is_source(from) && does(step, HANDOVER_START_GUEST)))
		assert_int_equal(event, HANDOVER_RECORD_WRITTEN);
}

static void nothing_is_risked_without_a_record(void **state)
{
	(void)state;
	each_step(check_record);
}

static void check_source_start(enum handover_state from,
			       enum handover_event event,
			       const struct handover_step *step)
{
	if (!is_source(from) || !does(step, HANDOVER_START_GUEST))
		return;
	assert_int_equal(step->to, SOURCE_STAYED);
	/* GO may have been said: only the peer's or the operator's word */
	if (from == SOURCE_WAITING || from == SOURCE_UNKNOWN)
		assert_true(event == HANDOVER_NOT_STARTED ||
			    event == HANDOVER_GO_UNSAID ||
			    event == HANDOVER_SAID_STAYED);
}

static void behind_go_only_a_word_gives_the_guest_back(void **state)
{
	(void)state;
	each_step(check_source_start);
}

static void check_last_word(enum handover_state from,
			    enum handover_event event,
			    const struct handover_step *step)
{
	(void)event;
	if (does(step, HANDOVER_SEND_NOT_STARTED)) {
		assert_int_equal(step->to, TARGET_REFUSED);
		assert_int_not_equal(from, TARGET_RUNNING);
	}
	if (from == TARGET_RUNNING)
		assert_int_equal(step->to, TARGET_RUNNING);
	assert_int_not_equal(from, TARGET_REFUSED);
	assert_int_not_equal(from, SOURCE_STAYED);
}

static void a_last_word_is_the_last(void **state)
{
	(void)state;
	each_step(check_last_word);
}

static void what_is_out_of_range_leads_nowhere(void **state)
{
	(void)state;
	assert_int_equal(handover_next(0, HANDOVER_GO).to, 0);
	assert_int_equal(handover_next(HANDOVER_STATES, HANDOVER_GO).to, 0);
	assert_int_equal(handover_next(TARGET_READY, 0).to, 0);
	assert_int_equal(handover_next(TARGET_READY, HANDOVER_EVENTS).to, 0);
	assert_false(handover_final(0));
}

static void everything_has_a_name(void **state)
{
	int i;

	(void)state;
	for (i = 1; i < HANDOVER_STATES; i++)
		assert_non_null(handover_state_name(i));
	for (i = 1; i < HANDOVER_EVENTS; i++)
		assert_non_null(handover_event_name(i));
	for (i = 1; i < HANDOVER_ACTIONS; i++)
		assert_non_null(handover_action_name(i));
	assert_string_equal(handover_state_name(SOURCE_UNKNOWN),
			    "SOURCE_UNKNOWN");
	assert_string_equal(handover_state_name(0), "invalid");
	assert_string_equal(handover_event_name(HANDOVER_EVENTS), "invalid");
	assert_string_equal(handover_action_name(-1), "invalid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_step_stays_on_its_side),
		cmocka_unit_test(nothing_is_risked_without_a_record),
		cmocka_unit_test(behind_go_only_a_word_gives_the_guest_back),
		cmocka_unit_test(a_last_word_is_the_last),
		cmocka_unit_test(what_is_out_of_range_leads_nowhere),
		cmocka_unit_test(everything_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
