// SPDX-License-Identifier: GPL-2.0
/*
 * The choice of what to pack with, against a simulated migration (pack_sim.h).
 * "auto" must never take 5 % longer than not packing at all, and come near the
 * best plan that could have been fixed.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "migrate/pack_policy.h"
#include "umig/pack_sim.h"

#define BATCH SIM_BATCH
#define BOTH SIM_CODECS
#define MB 1e6
/*
 * What finding out may cost at once: some batches packed, in seconds, and those
 * that go as they are before the link is known.
 */
#define START 0.015
#define START_BATCHES 2

static const struct sim_host hosts[] = {
	{ "one slow worker",
	  { 0, 400 * MB, 250 * MB, 150 * MB, 50 * MB },
	  { 20e9, 2000 * MB, 800 * MB, 800 * MB, 800 * MB }, 1 },
	{ "two workers",
	  { 0, 700 * MB, 450 * MB, 250 * MB, 90 * MB },
	  { 20e9, 3000 * MB, 1500 * MB, 1500 * MB, 1500 * MB }, 2 },
	{ "eight workers",
	  { 0, 700 * MB, 450 * MB, 250 * MB, 90 * MB },
	  { 20e9, 12000 * MB, 8000 * MB, 8000 * MB, 8000 * MB }, 8 },
	{ "a receiver that unpacks slowly",
	  { 0, 700 * MB, 450 * MB, 250 * MB, 90 * MB },
	  { 20e9, 1500 * MB, 500 * MB, 500 * MB, 500 * MB }, 4 },
};

static const struct sim_content contents[] = {
	{ "like memory", { 1, 0.45, 0.33, 0.30, 0.27 } },
	{ "text", { 1, 0.30, 0.18, 0.16, 0.13 } },
	{ "nearly empty", { 1, 0.03, 0.01, 0.01, 0.01 } },
	{ "hardly packable", { 1, 0.93, 0.90, 0.89, 0.88 } },
	{ "packed already", { 1, 1, 1, 1, 1 } },
	{ "half packed already", { 1, 0.45, 0.33, 0.30, 0.27 }, 2, 1 },
};

static const double links[] = {
	1.2 * MB, 12 * MB, 117 * MB, 300 * MB, 1170 * MB, 3000 * MB, 10000 * MB,
};

#define NR(a) (sizeof(a) / sizeof((a)[0]))

static double run(const struct sim_host *h, const struct sim_content *c,
		  double link, const char *text, unsigned int batches,
		  struct sim *s)
{
	struct pack_option option;

	assert_int_equal(pack_option_parse(text, &option, NULL), 0);
	*s = (struct sim){ .host = h, .content = c, .link = link };
	return sim_run(s, &option, batches);
}

static double best_fixed(const struct sim_host *h,
			 const struct sim_content *c, double link,
			 unsigned int batches)
{
	static const char *const fixed[] = {
		"none", "lz4", "zstd:1", "zstd:3", "zstd:6",
	};
	double best = 0, t;
	struct sim s;
	unsigned int i;

	for (i = 0; i < NR(fixed); i++) {
		t = run(h, c, link, fixed[i], batches, &s);
		if (!i || t < best)
			best = t;
	}
	return best;
}

/* All hosts, contents and links: auto's time over none's and the best's. */
static void check_table(unsigned int batches, double over_none,
			double over_best)
{
	unsigned int h, c, l, bad = 0;

	for (h = 0; h < NR(hosts); h++)
		for (c = 0; c < NR(contents); c++)
			for (l = 0; l < NR(links); l++) {
				struct sim s;
				double none, best, t;

				none = run(&hosts[h], &contents[c], links[l],
					   "none", batches, &s);
				best = best_fixed(&hosts[h], &contents[c],
						  links[l], batches);
				t = run(&hosts[h], &contents[c], links[l],
					"auto", batches, &s);
				best += START + START_BATCHES * BATCH / links[l];
				if (t <= none * over_none + START &&
				    t <= best * over_best)
					continue;
				bad++;
				print_error("%s, %s, %.0f MB/s: %.3f s, none %.3f, best %.3f; plans %u %u %u %u %u\n",
					    hosts[h].name, contents[c].name,
					    links[l] / MB, t, none, best,
					    s.used[0], s.used[1], s.used[2],
					    s.used[3], s.used[4]);
			}
	assert_int_equal(bad, 0);
}

static void auto_is_never_slower_than_none(void **state)
{
	(void)state;
	check_table(32, 1.05, 1e9);
	check_table(256, 1.05, 1e9);
}

static void auto_comes_near_the_best(void **state)
{
	(void)state;
	check_table(1024, 1.05, 1.15);
}

/* A part in @share of a CPU, in slices; @ran so far, at @now. */
struct cpu {
	double share, ran, now;
};

#define SLICE 0.003

/* Compute for @s; how long that took. */
static double compute(struct cpu *c, double s)
{
	double begun = c->now, slices = floor(c->ran / SLICE);

	c->ran += s;
	slices = floor(c->ran / SLICE) - slices;
	c->now += s + slices * (c->share - 1) * SLICE;
	return c->now - begun;
}

static double compute_and_tell(struct cpu *c, double s, struct pack_policy *p)
{
	double took = compute(c, s);

	pack_policy_ran(p, sim_ns(took), sim_ns(s));
	return took;
}

/* The same by one of @workers that all do it, by turns. */
static double compute_beside(struct cpu *c, double s, unsigned int workers,
			     struct pack_policy *p)
{
	double took = compute(c, s) * workers;

	pack_policy_ran(p, sim_ns(took), sim_ns(s));
	return took;
}

static void try_crowded(struct sim *s, struct pack_policy *p, struct cpu *cpu)
{
	unsigned int workers = p->current ? s->host->workers : 1;
	struct pack_plan plan;
	unsigned int i;
	double took;

	if (!pack_policy_trial(p, &plan, sim_ns(cpu->now)))
		return;
	i = sim_index(plan);
	took = compute_beside(cpu, PACK_TRIAL_BYTES / s->host->pack[i], workers,
			      p);
	pack_policy_tried(p, plan, PACK_TRIAL_BYTES,
			  PACK_TRIAL_BYTES * sim_ratio(s, i), sim_ns(took),
			  sim_ns(cpu->now));
}

/*
 * Everything on one CPU that others have a part of: the socket takes a batch
 * when the receiver has had the CPU for it.  So the link looks slow, and is
 * nothing but CPU, which packing takes, too.  @s->link: bytes that are moved in a
 * second of it.
 */
static double simulate_crowded(struct sim *s, double share,
			       const struct pack_option *option,
			       unsigned int batches)
{
	struct cpu cpu = { .share = share };
	struct pack_policy p;

	pack_policy_init(&p, option, BOTH, s->host->workers, 0);
	for (; s->batch < batches; s->batch++) {
		double ratio, took;
		unsigned int i;

		compute_and_tell(&cpu, BATCH / 8e9, &p);
		try_crowded(s, &p, &cpu);
		i = sim_index(pack_policy_choose(&p, sim_ns(cpu.now)));
		s->used[i]++;
		ratio = sim_ratio(s, i);
		if (i) {
			took = compute_beside(&cpu, BATCH / s->host->pack[i],
					      s->host->workers, &p);
			pack_policy_packed(&p, sim_plans[i], BATCH,
					   BATCH * ratio, sim_ns(took),
					   sim_ns(cpu.now));
		}
		took = compute(&cpu, BATCH * ratio / s->link +
			       (ratio < 1 ? BATCH / s->host->unpack[i] : 0));
		pack_policy_sent(&p, sim_plans[i], BATCH * ratio, sim_ns(took),
				 sim_ns(cpu.now));
	}
	return cpu.now;
}

/* Time is a matter of luck by slices; some are given. */
static void check_crowded(const struct sim_host *h, const struct sim_content *c,
			  double link, double share)
{
	struct pack_option automatic = { .automatic = true }, none = { 0 };
	struct sim s = { .host = h, .content = c, .link = link }, plain = s;
	double t = simulate_crowded(&s, share, &automatic, 1024);
	double t_none = simulate_crowded(&plain, share, &none, 1024);

	if (t > t_none * 1.05 + 2 * START * share)
		fail_msg("%s, %s, %.0f MB/s, a part in %.1f: %.3f s, none %.3f; plans %u %u %u %u %u",
			 h->name, c->name, link / MB, share, t, t_none,
			 s.used[0], s.used[1], s.used[2], s.used[3],
			 s.used[4]);
}

static void auto_leaves_a_crowded_cpu_alone(void **state)
{
	static const double speed[] = { 200 * MB, 400 * MB, 700 * MB, 1500 * MB };
	static const double shares[] = { 1.5, 2, 4, 10 };
	unsigned int h, c, i, k;

	(void)state;
	for (h = 0; h < NR(hosts); h++)
		for (c = 0; c < NR(contents); c++)
			for (i = 0; i < NR(shares); i++)
				for (k = 0; k < NR(speed); k++)
					check_crowded(&hosts[h], &contents[c],
						      speed[k], shares[i]);
}

/* A slow link stays one, however crowded the CPU: packing still pays. */
static void auto_packs_for_a_slow_link_all_the_same(void **state)
{
	struct pack_option automatic = { .automatic = true };
	struct pack_policy p;
	struct pack_plan plan;
	unsigned int i, n, used[PACK_PLANS] = { 0 };
	uint64_t now = 0;

	(void)state;
	pack_policy_init(&p, &automatic, BOTH, 2, now);
	for (n = 0; n < 200; n++) {
		uint64_t busy;

		pack_policy_ran(&p, 4000000, 1000000);
		if (pack_policy_trial(&p, &plan, now)) {
			i = sim_index(plan);
			pack_policy_tried(&p, plan, PACK_TRIAL_BYTES,
					  PACK_TRIAL_BYTES * contents[0].ratio[i],
					  sim_ns(4 * PACK_TRIAL_BYTES /
					     hosts[1].pack[i]), now);
		}
		i = sim_index(pack_policy_choose(&p, now));
		used[i]++;
		if (i)
			pack_policy_packed(&p, sim_plans[i], BATCH,
					   BATCH * contents[0].ratio[i],
					   sim_ns(4 * BATCH / hosts[1].pack[i]),
					   now);
		busy = sim_ns(BATCH * contents[0].ratio[i] / (12 * MB));
		now += busy;
		pack_policy_sent(&p, sim_plans[i], BATCH * contents[0].ratio[i],
				 busy, now);
	}
	assert_true(used[0] < 20);
}

/*
 * CPUs are crowded, and a socket's buffer takes all at once.  How many of 200
 * batches go as they are, if the way takes @path_ns a byte; 0: nobody says.
 */
static unsigned int plain_into_a_buffer(double path_ns)
{
	struct pack_option automatic = { .automatic = true };
	unsigned int i, n, used[PACK_PLANS] = { 0 };
	struct pack_policy p;
	struct pack_plan plan;
	uint64_t now = 0;

	pack_policy_init(&p, &automatic, BOTH, 2, now);
	for (n = 0; n < 200; n++) {
		double bytes;

		pack_policy_ran(&p, 4000000, 1000000);
		if (pack_policy_trial(&p, &plan, now)) {
			i = sim_index(plan);
			bytes = PACK_TRIAL_BYTES * contents[0].ratio[i];
			pack_policy_tried(&p, plan, PACK_TRIAL_BYTES, bytes,
					  sim_ns(4 * PACK_TRIAL_BYTES /
					     hosts[1].pack[i]), now);
		}
		i = sim_index(pack_policy_choose(&p, now));
		used[i]++;
		bytes = BATCH * contents[0].ratio[i];
		if (i)
			pack_policy_packed(&p, sim_plans[i], BATCH, bytes,
					   sim_ns(4 * BATCH / hosts[1].pack[i]),
					   now);
		now += BATCH * 20;
		if (path_ns > 0)
			pack_policy_path(&p, bytes, bytes * path_ns, now);
		pack_policy_sent(&p, sim_plans[i], bytes, bytes * 3, now);
	}
	return used[0];
}

static void auto_packs_for_a_slow_way_behind_a_buffer(void **state)
{
	(void)state;
	assert_true(plain_into_a_buffer(20) < 20);
	/* or else it doesn't pay */
	assert_true(plain_into_a_buffer(0) > 180);
	assert_true(plain_into_a_buffer(0.5) > 180);
}

/* Channels of one link are busy at the same time, which passes once. */
static void the_way_of_all_channels_is_one(void **state)
{
	struct pack_option automatic = { .automatic = true };
	struct pack_policy p;

	(void)state;
	pack_policy_init(&p, &automatic, BOTH, 2, 0);
	pack_policy_path(&p, BATCH, 1000000, 1000000);
	pack_policy_path(&p, BATCH, 1000000, 1000000);
	assert_true(p.path.ns < 1100000);
}

/* All changes of the link by halves of a migration. */
static void auto_follows_the_link(void **state)
{
	struct pack_option automatic = { .automatic = true }, none = { 0 };
	unsigned int a, b, h;

	(void)state;
	for (h = 0; h < NR(hosts); h++)
		for (a = 1; a < NR(links); a++)
			for (b = 1; b < NR(links); b++) {
				struct sim s = {
					.host = &hosts[h],
					.content = &contents[0],
					.link = links[a],
					.link_later = links[b],
					.change = 512,
				}, plain = s;
				double t = sim_run(&s, &automatic, 1024);
				double t_none = sim_run(&plain, &none, 1024);

				if (t > t_none * 1.05 + START)
					fail_msg("%s, %.0f then %.0f MB/s: %.3f s, none %.3f",
						 hosts[h].name, links[a] / MB,
						 links[b] / MB, t, t_none);
			}
}

/* Where most pages are named, words on them go between the batches. */
static void auto_minds_only_what_can_be_packed(void **state)
{
	struct pack_option automatic = { .automatic = true };
	unsigned int h, l;

	(void)state;
	for (h = 0; h < NR(hosts); h++)
		for (l = 0; l < NR(links); l++) {
			struct sim s = {
				.host = &hosts[h],
				.content = &contents[0],
				.link = links[l],
			}, with = s;
			double t = sim_run(&s, &automatic, 128);

			with.words = 20;
			assert_true(sim_run(&with, &automatic, 128) <=
				    t * 1.05);
		}
}

/* Each of two channels is busy all the time, and has half of the link. */
static void channels_share_the_link(void **state)
{
	struct pack_option automatic = { .automatic = true };
	struct pack_policy p;
	uint64_t now = 1000000000;
	unsigned int i;
	double ns;

	(void)state;
	pack_policy_init(&p, &automatic, BOTH, 2, now);
	for (i = 0; i < 40; i++) {
		now += 10000000;
		pack_policy_sent(&p, sim_plans[0], BATCH, 20000000, now);
	}
	ns = p.known[0].link.ns / p.known[0].link.bytes;
	assert_true(fabs(ns - 10000000.0 / BATCH) < 0.1);
}

/* Nor do small ones that found room wipe out what is known of the link. */
static void small_batches_say_little_of_the_link(void **state)
{
	struct pack_option automatic = { .automatic = true };
	struct pack_policy p;
	struct pack_plan plan;
	uint64_t now = 0;
	unsigned int i;

	(void)state;
	pack_policy_init(&p, &automatic, BOTH, 1, now);
	for (i = 0; i < 20; i++) {
		plan = pack_policy_choose(&p, now);
		pack_policy_packed(&p, plan, BATCH, BATCH / 3, 3000000, now);
		now += 20000000;
		pack_policy_sent(&p, plan, plan.codec ? BATCH / 3 : BATCH,
				 plan.codec ? 7000000 : 20000000, now);
		if (pack_policy_trial(&p, &plan, now))
			pack_policy_tried(&p, plan, PACK_TRIAL_BYTES,
					  PACK_TRIAL_BYTES / 3, 200000, now);
	}
	assert_int_not_equal(pack_policy_choose(&p, now).codec, 0);
	for (i = 0; i < 100; i++)
		pack_policy_sent(&p, sim_plans[p.current], 60, 2, now);
	assert_int_not_equal(pack_policy_choose(&p, now).codec, 0);
}

/* A slow link, and what lz4 and zstd leave of the parts that they are tried on. */
static void begin_slow(struct pack_policy *p, double lz4, double zstd)
{
	const struct pack_option automatic = { .automatic = true };
	unsigned int i;

	pack_policy_init(p, &automatic, BOTH, 1, 0);
	for (i = 1; i <= 2; i++)
		pack_policy_tried(p, sim_plans[i], PACK_TRIAL_BYTES,
				  PACK_TRIAL_BYTES * (i == 1 ? lz4 : zstd),
				  100000 * i, 1000000);
	pack_policy_choose(p, 1000000);
	pack_policy_sent(p, sim_plans[0], BATCH, 16000000, 20000000);
}

/* @batches by lz4, which packs the rest to a quarter; when they are sent. */
static uint64_t pack_cheaply(struct pack_policy *p, unsigned int batches)
{
	uint64_t now = 20000000;

	for (; batches; batches--) {
		pack_policy_packed(p, sim_plans[1], BATCH, BATCH / 4, 2000000,
				   now);
		now += 4000000;
		pack_policy_sent(p, sim_plans[1], BATCH / 4, 4000000, now);
	}
	return now;
}

/* What the first pages tell of two codecs needn't hold for the others. */
static void what_looked_alike_at_first_gets_a_batch(void **state)
{
	struct pack_policy p;
	uint64_t now;

	(void)state;
	begin_slow(&p, 0.1, 0.1);
	now = pack_cheaply(&p, 8);
	assert_int_equal(sim_index(pack_policy_choose(&p, now)), 2);
	/* which was for nothing: once is enough */
	pack_policy_packed(&p, sim_plans[2], BATCH, BATCH / 4, 4000000, now);
	now += 4000000;
	pack_policy_sent(&p, sim_plans[2], BATCH / 4, 4000000, now);
	pack_cheaply(&p, 8);
	assert_int_equal(sim_index(pack_policy_choose(&p, now)), 1);
}

static void what_costs_more_leaves_no_more(void **state)
{
	struct pack_policy p;

	(void)state;
	/* lz4's was a lucky part: what is seen next is no news of zstd's */
	begin_slow(&p, 0.05, 0.1);
	pack_cheaply(&p, 8);
	assert_true(p.known[2].ratio <= p.known[1].ratio);
	assert_true(p.known[1].ratio > 0.2);
}

/* Batches of few pages: hope ends when they come to one of many. */
static void small_batches_in_vain_are_few(void **state)
{
	const uint32_t raw = 25 * 4096;
	struct pack_policy p;
	struct pack_plan plan;
	uint64_t now = 20000000;
	unsigned int i, packed = 0;

	(void)state;
	begin_slow(&p, 0.99, 0.99);
	for (i = 0; i < 50; i++) {
		plan = pack_policy_choose(&p, now);
		packed += !!plan.codec;
		if (plan.codec)
			pack_policy_packed(&p, plan, raw, raw * 0.99, 200000,
					   now);
		now += 900000;
		pack_policy_sent(&p, plan, raw, 900000, now);
	}
	assert_true(packed);
	assert_true(packed < 8);
}

/* Of other contents than those, to say the least. */
static void a_trial_leaves_alone_what_batches_told(void **state)
{
	struct pack_policy p;
	double lz4, zstd;
	unsigned int i;
	uint64_t now;

	(void)state;
	begin_slow(&p, 0.3, 0.2);
	now = pack_cheaply(&p, 8);
	pack_policy_choose(&p, now);
	pack_policy_packed(&p, sim_plans[2], BATCH, BATCH / 6, 4000000, now);
	lz4 = p.known[1].ratio;
	zstd = p.known[2].ratio;
	pack_policy_choose(&p, now);
	assert_int_not_equal(p.current, 0);
	pack_policy_tried(&p, sim_plans[4], PACK_TRIAL_BYTES, PACK_TRIAL_BYTES,
			  1000000, now);
	assert_true(p.known[1].ratio == lz4);
	assert_true(p.known[2].ratio == zstd);
	assert_true(p.known[4].ratio == zstd);
	/* what they told long ago, other contents may not */
	now += 1000000000;
	for (i = 0; i < 8; i++)
		pack_policy_tried(&p, sim_plans[1], PACK_TRIAL_BYTES,
				  PACK_TRIAL_BYTES / 50, 100000, now);
	assert_true(p.known[1].ratio < zstd);
	assert_true(p.known[2].ratio <= p.known[1].ratio);
}

/* Batches packed in vain once nothing packs any more, and the other way. */
static void auto_follows_the_contents(void **state)
{
	struct pack_option automatic = { .automatic = true };
	const struct sim_content *packable = &contents[0];
	const struct sim_content *packed = &contents[4];
	struct sim s = {
		.host = &hosts[1], .content = packable, .link = 117 * MB,
		.content_later = packed, .change = 200,
	};

	(void)state;
	sim_run(&s, &automatic, 400);
	assert_true(s.raw_before < 20);
	assert_true(s.used[0] - s.raw_before > 180);
	s = (struct sim){
		.host = &hosts[1], .content = packed, .link = 117 * MB,
		.content_later = packable, .change = 200,
	};
	sim_run(&s, &automatic, 400);
	assert_true(s.raw_before > 180);
	assert_true(s.used[0] - s.raw_before < 30);
}

/* A peer that unpacks nothing, or one codec, gets nothing else. */
static void only_what_the_peer_unpacks_is_chosen(void **state)
{
	static const char *const texts[] = { "auto", "lz4", "zstd", "none" };
	struct pack_option option;
	struct pack_policy p;
	struct pack_plan plan;
	unsigned int t, codecs, n;

	(void)state;
	for (t = 0; t < NR(texts); t++)
		for (codecs = 0; codecs <= BOTH; codecs += 2) {
			uint64_t now = 0;

			pack_option_parse(texts[t], &option, NULL);
			pack_policy_init(&p, &option, codecs, 2, now);
			for (n = 0; n < 500; n++, now += 20000000) {
				plan = pack_policy_choose(&p, now);
				assert_true(!plan.codec ||
					    codecs >> plan.codec & 1);
				pack_policy_packed(&p, plan, BATCH, BATCH / 9,
						   4000000, now);
				pack_policy_sent(&p, plan, BATCH / 9, 20000000,
						 now);
				if (!pack_policy_trial(&p, &plan, now))
					continue;
				assert_true(codecs >> plan.codec & 1);
				pack_policy_tried(&p, plan, 9, 1, 100000, now);
			}
		}
}

static void what_is_fixed_stays(void **state)
{
	struct pack_option option;
	struct pack_policy p;
	struct pack_plan plan;

	(void)state;
	pack_option_parse("zstd:7", &option, NULL);
	pack_policy_init(&p, &option, BOTH, 1, 0);
	assert_false(pack_policy_trial(&p, &plan, 1000000000));
	plan = pack_policy_choose(&p, 0);
	assert_int_equal(plan.codec, WIRE_CODEC_ZSTD);
	assert_int_equal(plan.level, 7);
	/* not one of the plans that "auto" has: nothing is learnt */
	pack_policy_packed(&p, plan, 100, 100, 1, 1);
	pack_policy_sent(&p, plan, 100, 1, 1);
	plan = pack_policy_choose(&p, 2);
	assert_int_equal(plan.level, 7);
}

static void options_are_parsed_or_refused(void **state)
{
	static const char *const bad[] = {
		"", "lz", "lz4:1", "zstd:", "zstd:0", "zstd:10", "zstd:-1",
		"zstd:1x", "zstd3", "AUTO",
	};
	struct pack_option o;
	unsigned int i;

	(void)state;
	assert_int_equal(pack_option_parse("auto", &o, NULL), 0);
	assert_true(o.automatic);
	assert_int_equal(pack_option_parse("none", &o, NULL), 0);
	assert_false(o.automatic || o.plan.codec);
	assert_int_equal(pack_option_parse("lz4", &o, NULL), 0);
	assert_int_equal(o.plan.codec, WIRE_CODEC_LZ4);
	assert_int_equal(pack_option_parse("zstd", &o, NULL), 0);
	assert_int_equal(o.plan.level, PACK_LEVEL_DEFAULT);
	assert_int_equal(pack_option_parse("zstd:9", &o, NULL), 0);
	assert_int_equal(o.plan.level, 9);
	for (i = 0; i < NR(bad); i++) {
		struct err err = { 0 };

		assert_int_equal(pack_option_parse(bad[i], &o, &err), -EINVAL);
		assert_non_null(strstr(err.text, "zstd:9"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_parsed_or_refused),
		cmocka_unit_test(what_is_fixed_stays),
		cmocka_unit_test(only_what_the_peer_unpacks_is_chosen),
		cmocka_unit_test(auto_leaves_a_crowded_cpu_alone),
		cmocka_unit_test(auto_packs_for_a_slow_way_behind_a_buffer),
		cmocka_unit_test(the_way_of_all_channels_is_one),
		cmocka_unit_test(auto_packs_for_a_slow_link_all_the_same),
		cmocka_unit_test(auto_follows_the_link),
		cmocka_unit_test(auto_minds_only_what_can_be_packed),
		cmocka_unit_test(channels_share_the_link),
		cmocka_unit_test(small_batches_say_little_of_the_link),
		cmocka_unit_test(what_looked_alike_at_first_gets_a_batch),
		cmocka_unit_test(what_costs_more_leaves_no_more),
		cmocka_unit_test(small_batches_in_vain_are_few),
		cmocka_unit_test(a_trial_leaves_alone_what_batches_told),
		cmocka_unit_test(auto_follows_the_contents),
		cmocka_unit_test(auto_is_never_slower_than_none),
		cmocka_unit_test(auto_comes_near_the_best),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
