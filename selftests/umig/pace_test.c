// SPDX-License-Identifier: GPL-2.0
/*
 * Who is held for what it dirties: fair shares, and guests simulated by the
 * tick: the offender is slowed to what is asked for, but not below its floor,
 * and those that dirty little aren't touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mem/dirty_pace.h"

#define TICK 5000000ULL
#define TICKS 2000	/* 10 s */

/* Two vCPUs that dirty at these rates while they run. */
struct sim {
	double want[2];
	uint64_t pages_s;
	unsigned int floor;
	double dirtied[2];	/* a second */
	double ran[2];		/* part of the time */
	uint64_t longest_ns;
};

static void sim_run(struct sim *s)
{
	uint64_t pages[2], hold[2], until[2] = { 0 }, now, sum[2] = { 0 };
	double part[2] = { 0 };
	uint64_t ran[2] = { 0 };
	struct pace p;
	unsigned int i;

	pace_init(&p, 2, 0);
	p.pages_s = s->pages_s;
	p.floor = s->floor;
	for (now = TICK; now <= TICKS * TICK; now += TICK) {
		for (i = 0; i < 2; i++) {
			uint64_t from = now - TICK, ns;

			if (from < until[i])
				from = until[i];
			ns = from < now ? now - from : 0;
			ran[i] += ns;
			part[i] += s->want[i] * ns / 1e9;
			pages[i] = part[i];
			part[i] -= pages[i];
			sum[i] += pages[i];
		}
		pace_tick(&p, now, pages, hold);
		for (i = 0; i < 2; i++) {
			if (hold[i])
				until[i] = now + hold[i];
			if (hold[i] > s->longest_ns)
				s->longest_ns = hold[i];
		}
	}
	for (i = 0; i < 2; i++) {
		s->dirtied[i] = sum[i] * 1e9 / (TICKS * TICK);
		s->ran[i] = (double)ran[i] / (TICKS * TICK);
	}
}

static void offender_is_slowed_to_what_is_left(void **state)
{
	struct sim s = {
		.want = { 40000, 1000 }, .pages_s = 20000, .floor = 10,
	};

	(void)state;
	sim_run(&s);
	assert_true(s.dirtied[0] + s.dirtied[1] < 21500);
	assert_true(s.dirtied[0] > 17000);
	assert_true(s.ran[1] > 0.999);
	assert_true(s.longest_ns > 0 && s.longest_ns <= PACE_HOLD_MAX_NS);
}

static void floor_is_kept(void **state)
{
	struct sim s = {
		.want = { 100000, 0 }, .pages_s = 100, .floor = 25,
	};

	(void)state;
	sim_run(&s);
	assert_true(s.ran[0] >= 0.25);
	assert_true(s.ran[0] < 0.4);
	assert_true(s.longest_ns <= PACE_HOLD_MAX_NS);
	assert_true(s.ran[1] > 0.999);
}

static void two_offenders_share(void **state)
{
	struct sim s = {
		.want = { 40000, 60000 }, .pages_s = 30000, .floor = 5,
	};

	(void)state;
	sim_run(&s);
	assert_true(s.dirtied[0] > 13000 && s.dirtied[0] < 17500);
	assert_true(s.dirtied[1] > 13000 && s.dirtied[1] < 17500);
}

static void nobody_is_held_within_the_rate(void **state)
{
	struct sim s = {
		.want = { 4000, 5000 }, .pages_s = 10000, .floor = 25,
	};

	(void)state;
	sim_run(&s);
	assert_int_equal(s.longest_ns, 0);
}

static double share(double a, double b, double c, uint64_t pages_s)
{
	struct pace p;

	pace_init(&p, 3, 0);
	p.pages_s = pages_s;
	p.vcpu[0].rate_ps = a;
	p.vcpu[1].rate_ps = b;
	p.vcpu[2].rate_ps = c;
	return pace_share(&p);
}

static void shares_are_fair(void **state)
{
	(void)state;
	assert_true(share(100, 100, 100, 30) == 10);
	assert_true(share(0, 100, 100, 30) == 15);
	assert_true(share(5, 0, 100, 30) == 25);
	assert_true(share(12, 100, 2, 30) == 16);
	assert_true(share(1, 2, 3, 30) == 27);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offender_is_slowed_to_what_is_left),
		cmocka_unit_test(floor_is_kept),
		cmocka_unit_test(two_offenders_share),
		cmocka_unit_test(nobody_is_held_within_the_rate),
		cmocka_unit_test(shares_are_fair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
