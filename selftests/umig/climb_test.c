// SPDX-License-Identifier: GPL-2.0
/* How many workers are chosen for machines of which we know what helps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "migrate/climb.h"

#define STEPS 200

/* @rate: done in a window, by workers, from none on. Where it ends up. */
static unsigned int climb(const unsigned int *rate, unsigned int most)
{
	uint64_t now = 1, done = 0;
	unsigned int i, active = 0, often[8] = { 0 }, best = 0;
	struct climb c;

	climb_init(&c, most);
	for (i = 0; i < STEPS; i++) {
		active = climb_step(&c, done, now);
		assert_true(active <= most);
		done += rate[active];
		now += CLIMB_WINDOW_NS;
		often[active]++;
	}
	for (i = 0; i <= most; i++)
		if (often[i] > often[best])
			best = i;
	/* it stays there nearly all of the time */
	assert_true(often[best] > STEPS * 9 / 10);
	return best;
}

static void takes_what_helps(void **state)
{
	(void)state;
	assert_int_equal(climb((unsigned int[]){ 100, 190, 270, 340 }, 3), 3);
	assert_int_equal(climb((unsigned int[]){ 100, 190, 195, 200 }, 3), 1);
	assert_int_equal(climb((unsigned int[]){ 100, 105, 300, 300 }, 3), 0);
	assert_int_equal(climb((unsigned int[]){ 100, 60 }, 1), 0);
	assert_int_equal(climb((unsigned int[]){ 100 }, 0), 0);
}

static void idle_time_says_nothing(void **state)
{
	struct climb c;
	unsigned int i;

	(void)state;
	climb_init(&c, 3);
	for (i = 1; i < 50; i++)
		assert_int_equal(climb_step(&c, 0, i * CLIMB_WINDOW_NS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_helps),
		cmocka_unit_test(idle_time_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
