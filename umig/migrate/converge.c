// SPDX-License-Identifier: GPL-2.0
/*
 * Convergence: see converge.h.
 */
#include "migrate/converge.h"

#include <stddef.h>

#define NS_PER_S 1e9
/* What a page that must be sent whole takes on the wire. */
#define WHOLE_PAGE_BYTES (4096 + 16)
/* Rates follow what is measured within about this time. */
#define RATE_MEMORY_NS 1e9
/* Rounds of fewer pages say little of what a page costs. */
#define FEW_PAGES 64
/* The last round, PREPARE and GO: each waits for a word. */
#define TRIPS 3
/* What the limit leaves for pages at least, were fixed costs to exceed it. */
#define PAGES_SHARE 4
/* A guest that writes more than this part of the link's rate won't converge. */
#define DIRTY_PART 0.6
/* And is held to this part of it, */
#define THROTTLE_PART 0.5
/* and to less each time that a round doesn't bring less than this. */
#define SHRINK_PART 0.8
#define THROTTLE_MIN_PAGES_S 64

#define HARVEST_MIN_NS 25000000ULL
#define HARVEST_MAX_NS 2000000000ULL
#define HARVEST_PART 50

/* An end that is further away than this is none. */
#define END_MAX_S 86400.0

void converge_init(struct converge *c, const struct converge_limits *limits,
		   uint64_t fixed_ns)
{
	*c = (struct converge){ .limits = *limits, .fixed_ns = fixed_ns };
}

/* An average that forgets: @ns of @value are mixed in. */
static double follow(double old, double value, uint64_t ns)
{
	if (old <= 0)
		return value;
	return old + (value - old) * (ns / (ns + RATE_MEMORY_NS));
}

void converge_sent(struct converge *c, uint64_t ns, uint64_t pages,
		   uint64_t bytes)
{
	if (!ns)
		return;
	c->sent_ps = follow(c->sent_ps, pages * NS_PER_S / ns, ns);
	c->byte_ps = follow(c->byte_ps, bytes * NS_PER_S / ns, ns);
}

void converge_dirtied(struct converge *c, uint64_t ns, uint64_t pages)
{
	if (ns)
		c->dirty_ps = follow(c->dirty_ps, pages * NS_PER_S / ns, ns);
}

/*
 * The first round sends all of memory, much of it for next to nothing: what its
 * bytes took says what a whole page takes.
 */
static void learn_page(struct converge *c, const struct converge_round *r)
{
	uint64_t ns = r->ns > c->trip_ns ? r->ns - c->trip_ns : 1;
	double bytes = r->bytes ? r->bytes : 1;
	double weight = (double)r->pages / (r->pages + FEW_PAGES);

	if (r->number == 1 || c->page_ns <= 0)
		c->page_ns = ns * (WHOLE_PAGE_BYTES / bytes);
	else
		c->page_ns += (ns / (r->pages + 1.0) - c->page_ns) * weight;
}

static uint64_t clamp_ns(double ns)
{
	return ns < 1e18 ? (uint64_t)ns : (uint64_t)1e18;
}

static uint64_t fixed_ns(const struct converge *c)
{
	return c->fixed_ns + TRIPS * c->trip_ns;
}

/* No round makes the fixed costs less: pages get a part of the limit at least. */
static bool fits(const struct converge *c, uint64_t pages_ns)
{
	uint64_t limit = c->limits.downtime_ns, fixed = fixed_ns(c);
	uint64_t room = limit > fixed ? limit - fixed : 0;

	if (room < limit / PAGES_SHARE)
		room = limit / PAGES_SHARE;
	return pages_ns <= room;
}

/*
 * Only after a round of written pages: before, what they cost is a guess.  Once
 * on it stays on: a guest let loose would undo what was won.
 */
static void throttle(struct converge *c, const struct converge_round *r)
{
	double link_ps = NS_PER_S / c->page_ns;
	double to = link_ps * THROTTLE_PART;
	double now = c->throttle_pages_s;

	if (!c->limits.can_throttle || r->number < 2)
		return;
	if (!c->throttle_pages_s && c->dirty_ps < link_ps * DIRTY_PART)
		return;
	if (c->throttle_pages_s && r->pages_left > c->left * SHRINK_PART)
		now *= THROTTLE_PART;
	if (c->throttle_pages_s && to > now)
		to = now;
	c->throttle_pages_s = to > THROTTLE_MIN_PAGES_S ? to :
							  THROTTLE_MIN_PAGES_S;
}

static enum converge_next end(struct converge *c, enum converge_reason reason)
{
	c->reason = reason;
	return reason == CONVERGE_FITS || c->limits.stop_anyway ?
		       CONVERGE_STOP : CONVERGE_GIVE_UP;
}

enum converge_next converge_round_ended(struct converge *c,
					const struct converge_round *r)
{
	double pages_ns;

	if (!c->trip_ns || r->ack_ns < c->trip_ns)
		c->trip_ns = r->ack_ns;
	learn_page(c, r);
	pages_ns = r->pages_left * c->page_ns;
	c->predicted_ns = clamp_ns(pages_ns + fixed_ns(c));
	if (fits(c, clamp_ns(pages_ns)))
		return end(c, CONVERGE_FITS);
	if (converge_expired(c, r->now_ns))
		return end(c, CONVERGE_TIMEOUT);
	if (r->number >= c->limits.max_rounds)
		return end(c, CONVERGE_ROUNDS);
	throttle(c, r);
	c->left = r->pages_left;
	return CONVERGE_ROUND;
}

bool converge_expired(const struct converge *c, uint64_t now_ns)
{
	return c->limits.timeout_at_ns && now_ns >= c->limits.timeout_at_ns;
}

uint64_t converge_harvest_ns(uint64_t cost_ns)
{
	if (cost_ns < HARVEST_MIN_NS / HARVEST_PART)
		return HARVEST_MIN_NS;
	if (cost_ns > HARVEST_MAX_NS / HARVEST_PART)
		return HARVEST_MAX_NS;
	return cost_ns * HARVEST_PART;
}

/* Each round leaves a part of the one before: a geometric series. */
uint64_t converge_end_ns(const struct converge *c, uint64_t pages_remaining)
{
	double part, seconds;

	if (c->sent_ps <= 0)
		return 0;
	part = c->dirty_ps / c->sent_ps;
	if (part >= 1)
		return 0;
	seconds = pages_remaining / c->sent_ps / (1 - part);
	return seconds < END_MAX_S ?
		       (uint64_t)(seconds * NS_PER_S) + c->fixed_ns : 0;
}

const char *converge_reason_name(enum converge_reason reason)
{
	static const char *const names[] = {
		[CONVERGE_UNDECIDED] = "",
		[CONVERGE_FITS] = "fits",
		[CONVERGE_ROUNDS] = "max-rounds",
		[CONVERGE_TIMEOUT] = "timeout",
	};

	_Static_assert(sizeof(names) / sizeof(names[0]) == CONVERGE_REASONS,
		       "each reason has a name");
	return (unsigned int)reason < CONVERGE_REASONS ? names[reason] : "";
}
