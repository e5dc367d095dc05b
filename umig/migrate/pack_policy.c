// SPDX-License-Identifier: GPL-2.0
/*
 * What to pack a batch with: see pack_policy.h.
 */
#include "migrate/pack_policy.h"

#include <errno.h>
#include <string.h>

#include "lib/number.h"

#define NONE 0
#define NOBODY PACK_PLANS
/* Of a mean's weight this stays when a batch is added. */
#define KEEP_PACK 0.75
#define KEEP_LINK 0.75
#define KEEP_RUN 0.95
#define KEEP_PATH 0.9
/* Less than this tells less: bytes packed, bytes sent, time computed. */
#define WHOLE_PACK (128U << 10)
#define WHOLE_LINK (32U << 10)
#define WHOLE_RUN_NS 100000ULL
#define WHOLE_PATH (256U << 10)
/* Who waits for a CPU for so much of the time shares it with all the others. */
#define CROWDED 0.25
/* There, times are as good as their luck: packing must gain so much more. */
#define GAIN_CROWDED 0.15
/* At the start, so little is known that half of it is enough. */
#define CROWDED_START 0.5
/* This much of a ratio is the newest batch's: contents change at once. */
#define NEWEST 0.3
/* Packing must gain so much to be worth it ... */
#define GAIN 1.10
/* ... plans that are so close are as fast as each other ... */
#define CLOSE 1.05
/* ... and the plan in use is left only for one that is better by this. */
#define STAY 0.97
/*
 * What the link did with a plan's batches is no news after this, or after so
 * many times what the last of them took: a new one costs as much.
 */
#define LINK_STALE_NS 250000000ULL
#define LINK_STALE_TIMES 64
/* The same of the way itself, which one plan's batches tell as well as others'. */
#define PATH_STALE_NS 1000000000ULL
/* What a plan's batches left is no news of what is sent after this. */
#define BATCH_STALE_NS 250000000ULL
/* By then a probe has been sent, or what became of it doesn't matter. */
#define PROBE_LOST_NS 1000000000ULL
/* Until so many batches were sent, the link is no faster than it is seen ... */
#define START_SENT 4
/* ... and this many that wait for it are enough to hide its slowness. */
#define START_AHEAD 3
/* Trials that come before any time has passed. */
#define TRIAL_CREDIT_NS 200000ULL
/* In "none", so many trials are of the cheapest codec, then one of another. */
#define TRIALS_CHEAP 8

/*
 * The plans, by growing cost.  As expected until it was measured: ns a byte; and
 * what is left of what the one before leaves, which a part of a batch doesn't
 * tell: hope costs one batch, or some small ones.
 */
static const struct {
	struct pack_plan plan;
	double ns;
	double hope;
} plans[PACK_PLANS] = {
	[NONE] = { { 0, 0 }, 0, 1 },
	{ { WIRE_CODEC_LZ4, 0 }, 2, 1 },
	{ { WIRE_CODEC_ZSTD, 1 }, 3, 0.75 },
	{ { WIRE_CODEC_ZSTD, 3 }, 5, 1 },
	{ { WIRE_CODEC_ZSTD, 6 }, 16, 1 },
};

int pack_policy_plan(unsigned int i, struct pack_plan *plan)
{
	if (++i >= PACK_PLANS)
		return -ENOENT;
	*plan = plans[i].plan;
	return 0;
}

static int parse_level(const char *text, uint8_t *level)
{
	uint64_t n;

	if (number_parse(text, &n) || n < PACK_LEVEL_MIN || n > PACK_LEVEL_MAX)
		return -EINVAL;
	*level = n;
	return 0;
}

int pack_option_parse(const char *text, struct pack_option *out,
		      struct err *err)
{
	*out = (struct pack_option){ 0 };
	if (!strcmp(text, "none"))
		return 0;
	if (!strcmp(text, "auto")) {
		out->automatic = true;
		return 0;
	}
	if (!strcmp(text, "lz4")) {
		out->plan.codec = WIRE_CODEC_LZ4;
		return 0;
	}
	out->plan.codec = WIRE_CODEC_ZSTD;
	out->plan.level = PACK_LEVEL_DEFAULT;
	if (!strcmp(text, "zstd") ||
	    (!strncmp(text, "zstd:", 5) &&
	     !parse_level(text + 5, &out->plan.level)))
		return 0;
	return err_set(err, -EINVAL,
		       "%s: no way to compress: auto, none, lz4, zstd, or zstd:%d to zstd:%d",
		       text, PACK_LEVEL_MIN, PACK_LEVEL_MAX);
}

/* What is left of a mean when something is added that isn't a @whole one. */
static double kept(double keep, double added, double whole)
{
	return added < whole ? 1 - (1 - keep) * added / whole : keep;
}

static void rate_add(struct pack_rate *r, double keep, size_t bytes,
		     uint64_t ns)
{
	r->bytes = r->bytes * keep + bytes;
	r->ns = r->ns * keep + ns;
}

static double rate_ns_a_byte(const struct pack_rate *r)
{
	return r->ns / r->bytes;
}

static bool tried(const struct pack_known *k)
{
	return k->pack.bytes > 0;
}

static struct pack_known *find(struct pack_policy *p, struct pack_plan plan)
{
	unsigned int i;

	for (i = 0; i < PACK_PLANS; i++)
		if (plans[i].plan.codec == plan.codec &&
		    plans[i].plan.level == plan.level)
			return &p->known[i];
	return NULL;
}

void pack_policy_init(struct pack_policy *p, const struct pack_option *option,
		      unsigned int codecs, unsigned int workers,
		      uint64_t now_ns)
{
	unsigned int i;

	*p = (struct pack_policy){
		.option = *option,
		.workers = workers,
		.probe = NOBODY,
		.begun_ns = now_ns,
	};
	for (i = 0; i < PACK_PLANS; i++) {
		p->known[i].usable =
			i == NONE ||
			codecs & WIRE_CODEC_BIT(plans[i].plan.codec);
		p->known[i].ratio = 1;
	}
	if (!(codecs & WIRE_CODEC_BIT(option->plan.codec)))
		p->option.plan = plans[NONE].plan;
}

/* What a byte on the wire costs, as far as it is known; -1: it isn't. */
static double link_ns(const struct pack_policy *p, unsigned int i,
		      uint64_t now_ns, bool *fresh)
{
	double best = -1;
	unsigned int k;

	*fresh = now_ns < p->known[i].sent_until_ns;
	if (*fresh)
		return rate_ns_a_byte(&p->known[i].link);
	for (k = 0; k < PACK_PLANS; k++) {
		const struct pack_known *other = &p->known[k];
		double ns;

		if (now_ns >= other->sent_until_ns)
			continue;
		ns = rate_ns_a_byte(&other->link);
		if (best < 0 || ns < best)
			best = ns;
	}
	return best;
}

/* 0: who wants a CPU has it; 1: what one thread does, another can't meanwhile. */
static double crowd(const struct pack_policy *p)
{
	double waited = p->run.wall_ns - p->run.cpu_ns;

	if (waited <= 0)
		return 0;
	waited /= p->run.wall_ns * CROWDED;
	return waited < 1 ? waited : 1;
}

/* What of a byte's time on the link is the way's own. */
static double path_ns(const struct pack_policy *p, uint64_t now_ns)
{
	return p->path.bytes > 0 && now_ns < p->path_until_ns + PATH_STALE_NS ?
		       rate_ns_a_byte(&p->path) : 0;
}

static double longer(double a, double b)
{
	return a > b ? a : b;
}

/*
 * How many times as much all workers pack as one.  While they do, what one takes
 * shows how far they are in each other's way; before, who are would be one.
 */
static double workers_beside(const struct pack_policy *p)
{
	double part = p->current == NONE ? 1 - crowd(p) : 1;

	return 1 + part * (p->workers - 1);
}

/* Whether more is known than what trials tell. */
static bool used(const struct pack_known *k)
{
	return k->batches >= WHOLE_PACK;
}

/* Whether that is of what is being sent. */
static bool in_use(const struct pack_known *k, uint64_t now_ns)
{
	return used(k) && now_ns - k->batch_at_ns < BATCH_STALE_NS;
}

/* What plan @i, which was tried, leaves of a byte. */
static double ratio_of(const struct pack_policy *p, unsigned int i)
{
	const struct pack_known *k = &p->known[i];
	double hope;

	if (used(k) || !tried(k - 1))
		return k->ratio;
	hope = plans[i].hope * k[-1].ratio;
	return hope < k->ratio ? hope : k->ratio;
}

/* The time of a raw byte, packing and sending; -1: not known. */
static double estimate(const struct pack_policy *p, unsigned int i,
		       uint64_t now_ns)
{
	const struct pack_known *k = &p->known[i];
	double send, pack, path = path_ns(p, now_ns), ratio, free, crowded;
	bool fresh;

	send = link_ns(p, i, now_ns, &fresh);
	if (send < 0 || !k->usable)
		return -1;
	/* what goes into a socket's buffer hasn't gone yet */
	send = longer(send, path);
	if (i == NONE)
		return send;
	if (!tried(k))
		return -1;
	ratio = ratio_of(p, i);
	send *= ratio;
	path *= ratio;
	pack = rate_ns_a_byte(&k->pack) / workers_beside(p);
	free = longer(pack, send);
	crowded = longer(free, pack + send - path);
	return free + crowd(p) * (crowded - free);
}

/* The cheapest of those that are as good as the best. */
static unsigned int find_best(const struct pack_policy *p, uint64_t now_ns)
{
	double gain = GAIN + crowd(p) * GAIN_CROWDED;
	double ns[PACK_PLANS], least = -1;
	unsigned int i;

	for (i = 0; i < PACK_PLANS; i++) {
		ns[i] = estimate(p, i, now_ns);
		if (i == p->current)
			ns[i] *= STAY;
		if (ns[i] >= 0 && (least < 0 || ns[i] < least))
			least = ns[i];
	}
	for (i = 0; i < PACK_PLANS; i++)
		if (ns[i] >= 0 && ns[i] <= least * (i == NONE ? gain : CLOSE))
			return i;
	return p->current;
}

/*
 * Without a plan's own, the link is taken for as fast as the fastest has seen
 * it: one batch finds out whether it is.
 */
static bool needs_probe(const struct pack_policy *p, unsigned int i,
			uint64_t now_ns)
{
	bool fresh;

	link_ns(p, i, now_ns, &fresh);
	return !fresh;
}

/*
 * The first batches go into a buffer and tell nothing.  If more and more wait
 * behind them, the link has time for something cheap to be packed; or nobody had
 * the time to send them.
 */
static bool waits_at_start(const struct pack_policy *p)
{
	return p->sent < START_SENT && p->chosen - p->sent >= START_AHEAD &&
	       crowd(p) < CROWDED_START;
}

static unsigned int find_cheapest(const struct pack_policy *p)
{
	unsigned int i;

	for (i = NONE + 1; i < PACK_PLANS; i++)
		if (p->known[i].usable)
			return i;
	return NONE;
}

static unsigned int choose(struct pack_policy *p, uint64_t now_ns)
{
	unsigned int best = find_best(p, now_ns);

	if (waits_at_start(p))
		best = p->current = find_cheapest(p);
	if (best == p->current)
		return best;
	if (!needs_probe(p, best, now_ns)) {
		p->current = best;
		return best;
	}
	if (p->probe != NOBODY && now_ns - p->probe_at_ns < PROBE_LOST_NS)
		return p->current;
	p->probe = best;
	p->probe_at_ns = now_ns;
	return best;
}

struct pack_plan pack_policy_choose(struct pack_policy *p, uint64_t now_ns)
{
	p->chosen++;
	if (!p->option.automatic)
		return p->option.plan;
	return plans[choose(p, now_ns)].plan;
}

/* What one plan sees of a change of contents, the others would see, too. */
static void carry_over(struct pack_policy *p, const struct pack_known *from,
		       double factor)
{
	unsigned int i;

	for (i = NONE + 1; i < PACK_PLANS; i++) {
		struct pack_known *k = &p->known[i];

		if (k == from || !tried(k))
			continue;
		k->ratio *= factor;
		if (k->ratio > 1)
			k->ratio = 1;
	}
}

/* @k costs more, or less, than @other, and is taken to leave no more, or less. */
static void bound(struct pack_known *k, const struct pack_known *other)
{
	if (k > other ? k->ratio > other->ratio : k->ratio < other->ratio)
		k->ratio = other->ratio;
}

/*
 * Of the same contents, a plan that costs more leaves no more than one that costs
 * less.  What @k has seen now, by a @trial or of a batch, bounds what the others
 * are taken for; but what a trial has seen gives way to others' batches of now.
 */
static void bound_ratios(struct pack_policy *p, struct pack_known *k,
			 bool trial, uint64_t now_ns)
{
	unsigned int i;

	for (i = NONE + 1; i < PACK_PLANS && trial; i++)
		if (in_use(&p->known[i], now_ns))
			bound(k, &p->known[i]);
	for (i = NONE + 1; i < PACK_PLANS; i++)
		if (tried(&p->known[i]) &&
		    !(trial && in_use(&p->known[i], now_ns)))
			bound(&p->known[i], k);
}

static void learn(struct pack_policy *p, struct pack_plan plan, size_t raw,
		  size_t packed, uint64_t ns, uint64_t now_ns, bool trial)
{
	struct pack_known *k = find(p, plan);
	double ratio, old;

	if (!k || k == &p->known[NONE] || !raw)
		return;
	ratio = (double)packed / raw;
	old = k->ratio;
	k->ratio = tried(k) ? old + (ratio - old) *
				      (1 - kept(1 - NEWEST, raw, WHOLE_PACK)) :
			      ratio;
	/* while a plan is in use, its batches tell how contents change */
	if (tried(k) && (!trial || p->current == NONE))
		carry_over(p, k, k->ratio / old);
	bound_ratios(p, k, trial, now_ns);
	rate_add(&k->pack, kept(KEEP_PACK, raw, WHOLE_PACK), raw, ns);
	k->packed_at_ns = now_ns;
}

void pack_policy_unused(struct pack_policy *p, struct pack_plan plan)
{
	p->chosen--;
	if (p->probe != NOBODY && find(p, plan) == &p->known[p->probe])
		p->probe = NOBODY;
}

void pack_policy_packed(struct pack_policy *p, struct pack_plan plan,
			size_t raw, size_t packed, uint64_t ns,
			uint64_t now_ns)
{
	struct pack_known *k = find(p, plan);

	if (k) {
		k->batches += raw;
		k->batch_at_ns = now_ns;
	}
	learn(p, plan, raw, packed, ns, now_ns, false);
}

/*
 * Channels share the link: of the time that one of them was busy until @now_ns,
 * what no other has accounted for, @until.
 */
static uint64_t not_yet(uint64_t *until, uint64_t busy_ns, uint64_t now_ns)
{
	uint64_t since = now_ns > busy_ns ? now_ns - busy_ns : 0;

	if (since < *until)
		since = *until;
	if (since > now_ns)
		return 0;
	*until = now_ns;
	return now_ns - since;
}

void pack_policy_sent(struct pack_policy *p, struct pack_plan plan,
		      size_t bytes, uint64_t busy_ns, uint64_t now_ns)
{
	uint64_t link_took = not_yet(&p->link_until_ns, busy_ns, now_ns);
	struct pack_known *k = find(p, plan);
	uint64_t stale_ns;

	p->sent++;
	if (!k || !bytes)
		return;
	if (now_ns >= k->sent_until_ns)
		k->link = (struct pack_rate){ 0 };
	rate_add(&k->link, kept(KEEP_LINK, bytes, WHOLE_LINK), bytes,
		 link_took);
	stale_ns = busy_ns * LINK_STALE_TIMES;
	if (stale_ns < LINK_STALE_NS)
		stale_ns = LINK_STALE_NS;
	k->sent_until_ns = now_ns + stale_ns;
	if (p->probe != NOBODY && k == &p->known[p->probe])
		p->probe = NOBODY;
}

void pack_policy_path(struct pack_policy *p, uint64_t bytes, uint64_t busy_ns,
		      uint64_t now_ns)
{
	uint64_t took = not_yet(&p->path_until_ns, busy_ns, now_ns);

	rate_add(&p->path, kept(KEEP_PATH, bytes, WHOLE_PATH), bytes, took);
}

void pack_policy_ran(struct pack_policy *p, uint64_t wall_ns, uint64_t cpu_ns)
{
	double keep = kept(KEEP_RUN, wall_ns, WHOLE_RUN_NS);

	p->run.wall_ns = p->run.wall_ns * keep + wall_ns;
	p->run.cpu_ns = p->run.cpu_ns * keep + cpu_ns;
}

static double trial_cost(const struct pack_policy *p, unsigned int i)
{
	const struct pack_known *k = &p->known[i];

	return (tried(k) ? rate_ns_a_byte(&k->pack) : plans[i].ns) *
	       PACK_TRIAL_BYTES;
}

/*
 * First those never tried.  While nothing is packed, the cheapest tells whether
 * contents have changed.  Else who is due longest, in terms of its own cost.
 */
static unsigned int find_trial(const struct pack_policy *p, uint64_t now_ns)
{
	unsigned int i, cheapest = NOBODY, due = NOBODY;
	double longest = -1;

	for (i = NONE + 1; i < PACK_PLANS; i++) {
		const struct pack_known *k = &p->known[i];
		double age;

		if (!k->usable || i == p->current)
			continue;
		if (!tried(k))
			return i;
		if (cheapest == NOBODY)
			cheapest = i;
		age = (now_ns - k->packed_at_ns) / trial_cost(p, i);
		if (age > longest) {
			longest = age;
			due = i;
		}
	}
	return p->current == NONE && p->trials % TRIALS_CHEAP ? cheapest : due;
}

bool pack_policy_trial(struct pack_policy *p, struct pack_plan *plan,
		       uint64_t now_ns)
{
	/* what is found out where CPUs are crowded is worth less */
	uint64_t budget = TRIAL_CREDIT_NS + (now_ns - p->begun_ns) *
			  (1 - crowd(p) / 2) / PACK_TRIAL_PART;
	unsigned int i;

	if (!p->option.automatic)
		return false;
	i = find_trial(p, now_ns);
	if (i == NOBODY || p->trial_ns + trial_cost(p, i) > budget)
		return false;
	*plan = plans[i].plan;
	return true;
}

void pack_policy_tried(struct pack_policy *p, struct pack_plan plan,
		       size_t raw, size_t packed, uint64_t ns,
		       uint64_t now_ns)
{
	p->trial_ns += ns;
	p->trials++;
	learn(p, plan, raw, packed, ns, now_ns, true);
}
