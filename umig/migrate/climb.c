// SPDX-License-Identifier: GPL-2.0
/*
 * How many workers: see climb.h.
 */
#include "migrate/climb.h"

#define GAIN 1.1

void climb_init(struct climb *c, unsigned int most)
{
	*c = (struct climb){ .most = most };
}

/* The window that has ended did @rate. */
static void decide(struct climb *c, double rate)
{
	bool better = rate > c->rate * GAIN;

	if (c->trying && !better) {
		c->trying = false;
		c->active--;
		c->rest = CLIMB_REST;
		return;
	}
	c->rate = rate;
	if (c->rest) {
		c->rest--;
		return;
	}
	c->trying = c->active < c->most;
	c->active += c->trying;
}

unsigned int climb_step(struct climb *c, uint64_t done, uint64_t now_ns)
{
	uint64_t ns = now_ns - c->since_ns;

	if (c->since_ns && ns < CLIMB_WINDOW_NS)
		return c->active;
	if (c->since_ns && done > c->done)
		decide(c, (double)(done - c->done) / ns);
	c->since_ns = now_ns;
	c->done = done;
	return c->active;
}
