/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Convergence: what follows from what was measured of the link and of the
 * guest: another round, stop the guest, slow it down, give up.  Pure: no clock,
 * no I/O, no memory of its own; precopy.c measures and carries out.
 *
 *   blackout = pages left x cost of a page + fixed costs
 *
 * A page's cost is learned from rounds of pages that the guest wrote, since
 * those are what the last round is made of; before there was such a round it is
 * what a page sent whole takes at the rate of the first one, which is never too
 * little.  The fixed costs are stopping, saving, recording and starting.
 */
#ifndef UMIG_MIGRATE_CONVERGE_H
#define UMIG_MIGRATE_CONVERGE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * enum converge_next - What is to be done.
 * @CONVERGE_ROUND: another round, with the guest held to
 *	&converge.throttle_pages_s if that isn't 0.
 * @CONVERGE_STOP: stop the guest and send the rest.
 * @CONVERGE_GIVE_UP: the guest stays.
 */
enum converge_next {
	CONVERGE_ROUND = 1,
	CONVERGE_STOP = 2,
	CONVERGE_GIVE_UP = 3,
};

/**
 * enum converge_reason - Why the guest is stopped, or stays.
 * @CONVERGE_UNDECIDED: neither, yet.
 * @CONVERGE_FITS: the blackout is predicted to fit its limit.
 * @CONVERGE_ROUNDS: all rounds are used up.
 * @CONVERGE_TIMEOUT: the time is.
 */
enum converge_reason {
	CONVERGE_UNDECIDED = 0,
	CONVERGE_FITS = 1,
	CONVERGE_ROUNDS = 2,
	CONVERGE_TIMEOUT = 3,
	CONVERGE_REASONS
};

/**
 * struct converge_limits - What the user allows.
 * @downtime_ns: the blackout.
 * @timeout_at_ns: pre-copy ends then; 0: never.
 * @max_rounds: pre-copy rounds, >= 1.
 * @stop_anyway: when rounds or time are used up stop the guest, else give up.
 * @can_throttle: the guest can be held to a rate.
 */
struct converge_limits {
	uint64_t downtime_ns;
	uint64_t timeout_at_ns;
	unsigned int max_rounds;
	bool stop_anyway;
	bool can_throttle;
};

/**
 * struct converge_round - A round that has ended.
 * @number: from 1.
 * @now_ns: when.
 * @ns: it took this long,
 * @ack_ns: of it, waiting for the destination's word at its end.
 * @pages: sent,
 * @bytes: as so many.
 * @pages_left: written and not sent since.
 */
struct converge_round {
	unsigned int number;
	uint64_t now_ns;
	uint64_t ns;
	uint64_t ack_ns;
	uint64_t pages;
	uint64_t bytes;
	uint64_t pages_left;
};

/**
 * struct converge - What is known so far.
 * @limits: constant.
 * @fixed_ns: of the blackout, whatever is left.
 * @trip_ns: the shortest wait for the destination's word; 0: none yet.
 * @page_ns: what a written page costs; 0: not known.
 * @sent_ps, @byte_ps: pages and bytes sent a second, of late.
 * @dirty_ps: pages that harvests report a second, of late.
 * @left: pages left after the last round.
 * @predicted_ns: the blackout, if it began now.
 * @throttle_pages_s: the guest shall write no more pages a second; 0: as it
 *	likes.
 * @reason: set with STOP and GIVE_UP.
 */
struct converge {
	struct converge_limits limits;
	uint64_t fixed_ns;
	uint64_t trip_ns;
	double page_ns;
	double sent_ps;
	double byte_ps;
	double dirty_ps;
	uint64_t left;
	uint64_t predicted_ns;
	uint64_t throttle_pages_s;
	enum converge_reason reason;
};

/** converge_init() - @fixed_ns: stopping, saving, recording, starting. */
void converge_init(struct converge *c, const struct converge_limits *limits,
		   uint64_t fixed_ns);

/** converge_sent() - @pages and @bytes went out within @ns. */
void converge_sent(struct converge *c, uint64_t ns, uint64_t pages,
		   uint64_t bytes);

/** converge_dirtied() - A harvest @ns after the last one reported @pages. */
void converge_dirtied(struct converge *c, uint64_t ns, uint64_t pages);

/** converge_round_ended() - Learn from a round; what is next? */
enum converge_next converge_round_ended(struct converge *c,
					const struct converge_round *r);

/** converge_expired() - Time is up: end the round, and ask what is next. */
bool converge_expired(const struct converge *c, uint64_t now_ns);

/**
 * converge_harvest_ns() - How long to wait from one harvest to the next.
 * @cost_ns: what a harvest takes.
 *
 * Often, so that a page that is written again and again is found before it is
 * sent; but at no more than a fiftieth of the time.
 */
uint64_t converge_harvest_ns(uint64_t cost_ns);

/**
 * converge_end_ns() - How long it will take until the guest runs there, at the
 * present rates; 0: nobody can tell, or never.
 * @pages_remaining: of this round.
 */
uint64_t converge_end_ns(const struct converge *c, uint64_t pages_remaining);

/** converge_reason_name() - "fits", "max-rounds", "timeout"; "" undecided. */
const char *converge_reason_name(enum converge_reason reason);

#endif
