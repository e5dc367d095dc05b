// SPDX-License-Identifier: GPL-2.0
/*
 * What is decided of convergence: single decisions, and guests and links that
 * are simulated by the millisecond: idle, steady, changing, faster than the
 * link.  Whatever they do, pre-copy comes to an end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bitmap.h"
#include "migrate/converge.h"

#define MS 1000000ULL
#define S (1000 * MS)
#define PAGE_BYTES 4112
/* 1 Gbit/s */
#define GIGABIT 29000

/**
 * struct sim - A guest and a link.
 * @pages: RAM.
 * @set: it writes these over and over, from page 0 on,
 * @write_ps: so many a second,
 * @quiet_at_ns: until then; 0: for ever.
 * @floor: of its speed that throttling leaves, in percent.
 * @link_ps: pages that the link takes a second.
 * @harvest_ns: time between harvests; 0: as converge_harvest_ns() says.
 */
struct sim {
	uint64_t pages;
	uint64_t set;
	double write_ps;
	uint64_t quiet_at_ns;
	unsigned int floor;
	double link_ps;
	uint64_t harvest_ns;

	struct converge c;
	uint64_t *todo, *next;
	uint64_t now_ns;
	uint64_t harvested_ns;
	uint64_t dirtied;	/* since the last harvest, by reports */
	uint64_t written;	/* where the guest writes next */
	double write_part;
	double send_part;
	uint64_t cursor;
	uint64_t sent;
	unsigned int rounds;
	uint64_t stopped_ns;
};

static const struct converge_limits gigabit_limits = {
	.downtime_ns = 50 * MS,
	.max_rounds = 30,
	.can_throttle = true,
};

static void guest_writes(struct sim *s, uint64_t *log)
{
	double rate = s->write_ps, least = s->write_ps * s->floor / 100;

	if (s->quiet_at_ns && s->now_ns >= s->quiet_at_ns)
		return;
	if (s->c.throttle_pages_s && s->c.throttle_pages_s < rate)
		rate = s->c.throttle_pages_s > least ? s->c.throttle_pages_s :
						       least;
	for (s->write_part += rate / 1000; s->write_part >= 1; s->write_part--)
		bitmap_set(log, s->written++ % s->set);
}

static void harvest(struct sim *s, uint64_t *log)
{
	uint64_t i;

	for (i = bitmap_next(log, s->pages, 0); i < s->pages;
	     i = bitmap_next(log, s->pages, i + 1)) {
		bitmap_set(s->next, i);
		bitmap_clear(log, i);
		s->dirtied++;
	}
	converge_dirtied(&s->c, s->now_ns - s->harvested_ns, s->dirtied);
	s->dirtied = 0;
	s->harvested_ns = s->now_ns;
}

/* A millisecond of the link: false: nothing is left of this round. */
static bool link_sends(struct sim *s)
{
	for (s->send_part += s->link_ps / 1000; s->send_part >= 1;) {
		s->cursor = bitmap_next(s->todo, s->pages, s->cursor);
		if (s->cursor == s->pages)
			return false;
		bitmap_clear(s->todo, s->cursor);
		if (bitmap_test(s->next, s->cursor))
			continue;
		s->send_part--;
		s->sent++;
	}
	return true;
}

static enum converge_next sim_round(struct sim *s, uint64_t *log)
{
	uint64_t interval = s->harvest_ns ? s->harvest_ns :
					    converge_harvest_ns(100000);
	uint64_t began_ns = s->now_ns, began = s->sent;
	uint64_t *swap = s->todo;
	struct converge_round r;
	bool more = true;

	s->todo = s->next;
	s->next = swap;
	s->cursor = 0;
	while (more && !converge_expired(&s->c, s->now_ns)) {
		guest_writes(s, log);
		more = link_sends(s);
		s->now_ns += MS;
		if (s->now_ns - s->harvested_ns >= interval)
			harvest(s, log);
	}
	harvest(s, log);
	for (; (s->cursor = bitmap_next(s->todo, s->pages, s->cursor)) <
	       s->pages; bitmap_clear(s->todo, s->cursor))
		bitmap_set(s->next, s->cursor);
	r = (struct converge_round){
		.number = ++s->rounds,
		.now_ns = s->now_ns,
		.ns = s->now_ns - began_ns,
		.ack_ns = MS / 2,
		.pages = s->sent - began,
		.bytes = (s->sent - began) * PAGE_BYTES,
		.pages_left = bitmap_count(s->next, s->pages),
	};
	converge_sent(&s->c, r.ns, r.pages, r.bytes);
	return converge_round_ended(&s->c, &r);
}

/* To the end; how it ended. */
static enum converge_next sim_run(struct sim *s,
				  const struct converge_limits *limits)
{
	uint64_t *log = bitmap_alloc(s->pages);
	enum converge_next next;

	converge_init(&s->c, limits, 20 * MS);
	s->todo = bitmap_alloc(s->pages);
	s->next = bitmap_alloc(s->pages);
	bitmap_set_run(s->next, 0, s->pages);
	do {
		next = sim_round(s, log);
		assert_true(s->rounds <= limits->max_rounds);
	} while (next == CONVERGE_ROUND);
	s->stopped_ns = bitmap_count(s->next, s->pages) * 1e9 / s->link_ps +
			20 * MS;
	free(log);
	free(s->todo);
	free(s->next);
	return next;
}

static void idle_guest_takes_one_round(void **state)
{
	struct sim s = { .pages = 100000, .set = 1, .link_ps = GIGABIT };

	(void)state;
	assert_int_equal(sim_run(&s, &gigabit_limits), CONVERGE_STOP);
	assert_int_equal(s.c.reason, CONVERGE_FITS);
	assert_int_equal(s.rounds, 1);
	assert_int_equal(s.sent, s.pages);
}

static void steady_guest_fits_without_being_slowed(void **state)
{
	struct sim s = {
		.pages = 240000, .set = 65536, .write_ps = 5000,
		.link_ps = GIGABIT,
	};

	(void)state;
	assert_int_equal(sim_run(&s, &gigabit_limits), CONVERGE_STOP);
	assert_int_equal(s.c.reason, CONVERGE_FITS);
	assert_int_equal(s.c.throttle_pages_s, 0);
	assert_true(s.stopped_ns <= 50 * MS);
	assert_true(s.now_ns < 12 * S);
}

static void guest_faster_than_the_link_is_slowed_until_it_fits(void **state)
{
	struct sim s = {
		.pages = 240000, .set = 65536, .write_ps = 40000, .floor = 25,
		.link_ps = GIGABIT,
	};

	(void)state;
	assert_int_equal(sim_run(&s, &gigabit_limits), CONVERGE_STOP);
	assert_int_equal(s.c.reason, CONVERGE_FITS);
	assert_true(s.c.throttle_pages_s > 0);
	assert_true(s.stopped_ns <= 50 * MS);
	assert_true(s.rounds < 15);
	assert_true(s.now_ns < 20 * S);
}

/* 25% of its speed is still more than the link takes. */
static void guest_faster_than_that_ends_in_bounded_time(void **state)
{
	struct converge_limits limits = gigabit_limits;
	struct sim s = {
		.pages = 240000, .set = 65536, .write_ps = 400000,
		.floor = 25, .link_ps = GIGABIT,
	};

	(void)state;
	assert_int_equal(sim_run(&s, &limits), CONVERGE_GIVE_UP);
	assert_int_equal(s.c.reason, CONVERGE_ROUNDS);

	limits.timeout_at_ns = 15 * S;
	s = (struct sim){
		.pages = 240000, .set = 65536, .write_ps = 400000,
		.floor = 25, .link_ps = GIGABIT,
	};
	assert_int_equal(sim_run(&s, &limits), CONVERGE_GIVE_UP);
	assert_int_equal(s.c.reason, CONVERGE_TIMEOUT);
	assert_true(s.now_ns <= 15 * S + MS);
}

static void without_throttle_it_stops_or_gives_up_as_told(void **state)
{
	struct converge_limits limits = gigabit_limits;
	struct sim s = {
		.pages = 100000, .set = 65536, .write_ps = 40000,
		.link_ps = GIGABIT,
	}, again = s;

	(void)state;
	limits.can_throttle = false;
	limits.max_rounds = 5;
	assert_int_equal(sim_run(&s, &limits), CONVERGE_GIVE_UP);
	assert_int_equal(s.c.reason, CONVERGE_ROUNDS);
	assert_int_equal(s.c.throttle_pages_s, 0);
	limits.stop_anyway = true;
	limits.timeout_at_ns = 1 * S;	/* within the first round */
	assert_int_equal(sim_run(&again, &limits), CONVERGE_STOP);
	assert_int_equal(again.c.reason, CONVERGE_TIMEOUT);
	assert_int_equal(again.rounds, 1);
	assert_true(again.now_ns <= 1 * S + MS);
}

static void guest_that_calms_down_is_stopped_soon(void **state)
{
	struct converge_limits limits = gigabit_limits;
	struct sim s = {
		.pages = 240000, .set = 65536, .write_ps = 100000,
		.link_ps = GIGABIT, .quiet_at_ns = 15 * S,
	};

	(void)state;
	limits.can_throttle = false;
	assert_int_equal(sim_run(&s, &limits), CONVERGE_STOP);
	assert_int_equal(s.c.reason, CONVERGE_FITS);
	assert_true(s.now_ns < 19 * S);
}

/* A small set that is written all the time isn't sent again and again. */
static void harvests_within_a_round_find_hot_pages(void **state)
{
	struct sim often = {
		.pages = 240000, .set = 2000, .write_ps = 100000,
		.link_ps = GIGABIT,
	}, rarely = often;
	struct converge_limits limits = gigabit_limits;

	(void)state;
	limits.can_throttle = false;
	limits.stop_anyway = true;
	limits.max_rounds = 10;
	rarely.harvest_ns = 1000 * S;
	sim_run(&often, &limits);
	sim_run(&rarely, &limits);
	assert_true(often.sent - often.pages < rarely.sent - rarely.pages);
}

static void limit_below_the_fixed_costs_still_ends(void **state)
{
	struct converge_limits limits = gigabit_limits;
	struct sim s = {
		.pages = 100000, .set = 2000, .write_ps = 20,
		.link_ps = GIGABIT,
	};

	(void)state;
	limits.downtime_ns = 5 * MS;
	assert_int_equal(sim_run(&s, &limits), CONVERGE_STOP);
	assert_int_equal(s.c.reason, CONVERGE_FITS);
	assert_true(s.c.predicted_ns > limits.downtime_ns);
}

static void nothing_left_always_fits(void **state)
{
	const struct converge_limits limits = { .max_rounds = 1 };
	const struct converge_round r = {
		.number = 1, .now_ns = S, .ns = S, .pages = 1000,
		.bytes = 4096000,
	};
	struct converge c;

	(void)state;
	converge_init(&c, &limits, 100 * MS);
	assert_int_equal(converge_round_ended(&c, &r), CONVERGE_STOP);
	assert_int_equal(c.reason, CONVERGE_FITS);
}

/* Memory of zeroes goes fast; what is left of it may not. */
static void first_round_does_not_make_pages_look_cheap(void **state)
{
	const struct converge_limits limits = {
		.downtime_ns = 50 * MS, .max_rounds = 2,
	};
	const struct converge_round r = {
		.number = 1, .now_ns = S, .ns = S, .pages = 1000000,
		.bytes = 1000 * PAGE_BYTES, .pages_left = 100,
	};
	struct converge c;

	(void)state;
	converge_init(&c, &limits, 0);
	assert_int_equal(converge_round_ended(&c, &r), CONVERGE_ROUND);
	assert_true(c.predicted_ns >= 99 * MS);
}

static void harvests_take_a_fiftieth_of_the_time(void **state)
{
	(void)state;
	assert_int_equal(converge_harvest_ns(0), 25 * MS);
	assert_int_equal(converge_harvest_ns(2 * MS), 100 * MS);
	assert_int_equal(converge_harvest_ns(S), 2 * S);
}

static void end_is_told_if_there_is_one(void **state)
{
	const struct converge_limits limits = { .max_rounds = 1 };
	struct converge c;

	(void)state;
	converge_init(&c, &limits, 0);
	assert_int_equal(converge_end_ns(&c, 1000), 0);
	converge_sent(&c, S, 1000, 4096000);
	assert_int_equal(converge_end_ns(&c, 1000), S);
	converge_dirtied(&c, S, 500);
	assert_int_equal(converge_end_ns(&c, 1000), 2 * S);
	converge_dirtied(&c, 100 * S, 500000);
	assert_int_equal(converge_end_ns(&c, 1000), 0);
}

static void every_reason_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(converge_reason_name(CONVERGE_UNDECIDED), "");
	assert_string_equal(converge_reason_name(CONVERGE_FITS), "fits");
	assert_string_equal(converge_reason_name(CONVERGE_ROUNDS),
			    "max-rounds");
	assert_string_equal(converge_reason_name(CONVERGE_TIMEOUT), "timeout");
	assert_string_equal(converge_reason_name(CONVERGE_REASONS), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_guest_takes_one_round),
		cmocka_unit_test(steady_guest_fits_without_being_slowed),
		cmocka_unit_test(guest_faster_than_the_link_is_slowed_until_it_fits),
		cmocka_unit_test(guest_faster_than_that_ends_in_bounded_time),
		cmocka_unit_test(without_throttle_it_stops_or_gives_up_as_told),
		cmocka_unit_test(guest_that_calms_down_is_stopped_soon),
		cmocka_unit_test(harvests_within_a_round_find_hot_pages),
		cmocka_unit_test(limit_below_the_fixed_costs_still_ends),
		cmocka_unit_test(nothing_left_always_fits),
		cmocka_unit_test(first_round_does_not_make_pages_look_cheap),
		cmocka_unit_test(harvests_take_a_fiftieth_of_the_time),
		cmocka_unit_test(end_is_told_if_there_is_one),
		cmocka_unit_test(every_reason_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
