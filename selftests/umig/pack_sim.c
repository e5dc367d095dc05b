// SPDX-License-Identifier: GPL-2.0
/*
 * A simulated migration: see pack_sim.h.
 */
#include "umig/pack_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

const struct pack_plan sim_plans[PACK_PLANS] = {
	{ 0, 0 }, { WIRE_CODEC_LZ4, 0 }, { WIRE_CODEC_ZSTD, 1 },
	{ WIRE_CODEC_ZSTD, 3 }, { WIRE_CODEC_ZSTD, 6 },
};

/* struct event - A batch that the socket takes at @at. */
struct event {
	struct pack_plan plan;
	double bytes, busy, at;
};

uint64_t sim_ns(double s)
{
	return (uint64_t)(s * 1e9);
}

unsigned int sim_index(struct pack_plan plan)
{
	unsigned int i;

	for (i = 0; i < PACK_PLANS; i++)
		if (!memcmp(&sim_plans[i], &plan, sizeof(plan)))
			return i;
	fail();
	return 0;
}

double sim_ratio(const struct sim *s, unsigned int i)
{
	const struct sim_content *c = s->content;

	if (c->every && s->batch % (2 * c->every) < c->every)
		return i ? c->other : 1;
	return c->ratio[i];
}

static unsigned int next_worker(const struct sim *s)
{
	unsigned int i, first = 0;

	for (i = 1; i < s->host->workers; i++)
		if (s->worker[i] < s->worker[first])
			first = i;
	return first;
}

static void run_trial(struct sim *s, struct pack_policy *p, double *now)
{
	struct pack_plan plan;
	unsigned int i;
	double took;

	if (!pack_policy_trial(p, &plan, sim_ns(*now)))
		return;
	i = sim_index(plan);
	took = PACK_TRIAL_BYTES / s->host->pack[i];
	*now += took;
	pack_policy_tried(p, plan, PACK_TRIAL_BYTES,
			  PACK_TRIAL_BYTES * sim_ratio(s, i), sim_ns(took),
			  sim_ns(*now));
}

/* What a socket holds grows with the link, within bounds. */
static double buffer_bytes(double link)
{
	double bytes = link * 0.03;

	return bytes < 128e3 ? 128e3 : bytes > 4e6 ? 4e6 : bytes;
}

/* The socket takes bytes while its buffer has room; the link drains it. */
static void send_batch(struct sim *s, unsigned int i, double bytes,
		       double ready, struct event *e)
{
	double start = ready > s->accepted ? ready : s->accepted;
	double drained = start > s->drained ? start : s->drained;
	double placed;

	drained += bytes / s->link;
	placed = drained > s->placed ? drained : s->placed;
	placed += SIM_BATCH / s->host->unpack[bytes < SIM_BATCH ? i : 0];
	s->placed = placed;
	/* a receiver that is behind stops the link */
	s->drained = placed;
	s->accepted = s->drained - buffer_bytes(s->link) / s->link;
	if (s->accepted < start + 1e-6)
		s->accepted = start + 1e-6;
	*e = (struct event){ sim_plans[i], bytes, s->accepted - start,
			     s->accepted };
}

static void step(struct sim *s, struct pack_policy *p, struct event *e)
{
	unsigned int w = next_worker(s), i;
	double now = s->worker[w], took, ratio;

	if (s->change && s->batch == s->change) {
		s->raw_before = s->used[0];
		s->link = s->link_later ? s->link_later : s->link;
		s->content = s->content_later ? s->content_later : s->content;
	}
	if (now < s->sent[s->batch % SIM_QUEUE])
		now = s->sent[s->batch % SIM_QUEUE];
	run_trial(s, p, &now);
	i = sim_index(pack_policy_choose(p, sim_ns(now)));
	s->used[i]++;
	ratio = sim_ratio(s, i);
	took = i ? SIM_BATCH / s->host->pack[i] : 0;
	s->worker[w] = now + took;
	pack_policy_packed(p, sim_plans[i], SIM_BATCH, SIM_BATCH * ratio,
			   sim_ns(took), sim_ns(now + took));
	send_batch(s, i, SIM_BATCH * ratio, now + took, e);
	s->sent[s->batch % SIM_QUEUE] = s->accepted;
	s->batch++;
}

/* The policy hears of what was sent when it was, not before. */
double sim_run(struct sim *s, const struct pack_option *option,
	       unsigned int batches)
{
	struct pack_policy p;
	struct event queue[SIM_QUEUE];
	unsigned int heard = 0, i;

	pack_policy_init(&p, option, SIM_CODECS, s->host->workers, 0);
	while (s->batch < batches) {
		double now = s->worker[next_worker(s)];

		if (s->batch >= SIM_QUEUE &&
		    now < s->sent[s->batch % SIM_QUEUE])
			now = s->sent[s->batch % SIM_QUEUE];
		while (heard < s->batch && queue[heard % SIM_QUEUE].at <= now) {
			struct event *e = &queue[heard++ % SIM_QUEUE];

			pack_policy_sent(&p, e->plan, e->bytes, sim_ns(e->busy),
					 sim_ns(e->at));
		}
		for (i = 0; i < s->words; i++)
			pack_policy_unused(&p, pack_policy_choose(&p,
								  sim_ns(now)));
		step(s, &p, &queue[s->batch % SIM_QUEUE]);
	}
	return s->placed;
}
