/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What to pack a batch with: --compress.  Pure: told what packing and sending
 * took, it chooses; it packs, sends and reads a clock itself never.
 *
 * "auto" knows for each plan its pack rate, its ratio and how fast the link
 * took what it made, as means that decay.  A byte's time is the longer of its
 * packing, by all workers, and of its sending; where CPUs are crowded, so that
 * the one keeps the other waiting, up to their sum, but for what the way itself
 * takes: nobody's CPU is needed for that.  The least time wins, of plans
 * about as fast the one with the least CPU, and of plans that gain little,
 * none.  A plan that isn't in use is tried on a part of a batch now and then,
 * for at most PACK_TRIAL_PART of the time, and its result thrown away.  Then one
 * batch is let go, before the others, to see what the link and the peer make of
 * it.
 *
 * A part tells little of the rest.  Until it has packed a batch, a plan is hoped
 * to leave less than the one before it, which costs less; and none is ever taken
 * to leave more than that.
 *
 * One thread, or a lock of the caller's.
 */
#ifndef UMIG_MIGRATE_PACK_POLICY_H
#define UMIG_MIGRATE_PACK_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "migrate/pack.h"

/* A trial packs so many bytes of a batch, or all of one that has fewer. */
#define PACK_TRIAL_BYTES (128U << 10)
/* Trials take at most this part of the time. */
#define PACK_TRIAL_PART 50
/* How "auto" may pack: none, and all the others. */
#define PACK_PLANS 5

/**
 * struct pack_option - The value of --compress.
 * @automatic: plans are chosen by measurement.
 * @plan: else: always this; codec 0: none.
 */
struct pack_option {
	bool automatic;
	struct pack_plan plan;
};

/** struct pack_run - Decaying sums: time spent computing, and what of it ran. */
struct pack_run {
	double wall_ns;
	double cpu_ns;
};

/** struct pack_rate - Decaying sums: bytes, and the time that they took. */
struct pack_rate {
	double bytes;
	double ns;
};

/**
 * struct pack_known - What is known of a plan.
 * @usable: the peer unpacks it.
 * @batches: bytes of batches that it packed, raw,
 * @batch_at_ns: the last of them when.
 * @pack: raw bytes packed; no bytes: not tried yet.
 * @ratio: packed bytes for each raw byte, 1: doesn't get smaller.
 * @link: bytes on the wire, while it was busy.
 * @packed_at_ns: when it was last seen.
 * @sent_until_ns: until when @link is news.
 */
struct pack_known {
	bool usable;
	uint64_t batches;
	uint64_t batch_at_ns;
	struct pack_rate pack;
	double ratio;
	struct pack_rate link;
	uint64_t packed_at_ns;
	uint64_t sent_until_ns;
};

/**
 * struct pack_policy - Its state.
 * @option: what was asked for.
 * @workers: threads that pack at a time, from 1.
 * @known: of each plan; that of "none" has only a link.
 * @run: how much of a CPU a thread gets that wants one.
 * @path: bytes that the way itself took, and its time.
 * @path_until_ns: until when that is accounted for.
 * @current: the plan in use.
 * @probe: a plan of which one batch was let go, to see what the link does with
 *	it now; PACK_PLANS: no such.
 * @probe_at_ns: when.
 * @link_until_ns: until when the link's time is accounted for.
 * @begun_ns: when all this began.
 * @chosen: batches that were given a plan.
 * @sent: and those that were sent.
 * @trial_ns: time spent on trials.
 * @trials: how many.
 */
struct pack_policy {
	struct pack_option option;
	unsigned int workers;
	struct pack_known known[PACK_PLANS];
	struct pack_run run;
	struct pack_rate path;
	uint64_t path_until_ns;
	unsigned int current;
	unsigned int probe;
	uint64_t probe_at_ns;
	uint64_t link_until_ns;
	uint64_t begun_ns;
	uint64_t chosen;
	uint64_t sent;
	uint64_t trial_ns;
	unsigned int trials;
};

/**
 * pack_option_parse() - auto, none, lz4, zstd or zstd:LEVEL.
 *
 * Return: 0, or -EINVAL in words.
 */
int pack_option_parse(const char *text, struct pack_option *out,
		      struct err *err);

/**
 * pack_policy_init() - Begin.
 * @codecs: WIRE_CODEC_BIT() of those that the peer unpacks; a plan with
 *	another becomes none.
 * @workers: see &struct pack_policy.
 */
void pack_policy_init(struct pack_policy *p, const struct pack_option *option,
		      unsigned int codecs, unsigned int workers,
		      uint64_t now_ns);

/**
 * pack_policy_plan() - What "auto" chooses from, by growing cost.
 * @i: from 0, those that do pack.
 *
 * Return: 0 or -ENOENT.
 */
int pack_policy_plan(unsigned int i, struct pack_plan *plan);

/**
 * pack_policy_choose() - The plan for the next batch.
 *
 * Every batch that a plan was chosen for is told to pack_policy_sent() when it
 * has been, or to pack_policy_unused().
 */
struct pack_plan pack_policy_choose(struct pack_policy *p, uint64_t now_ns);

/** pack_policy_unused() - There was hardly anything to pack by @plan. */
void pack_policy_unused(struct pack_policy *p, struct pack_plan plan);

/**
 * pack_policy_packed() - A batch was packed by @plan, in @ns of a worker's.
 * @packed: bytes made; @raw if it went as it was.
 */
void pack_policy_packed(struct pack_policy *p, struct pack_plan plan,
			size_t raw, size_t packed, uint64_t ns,
			uint64_t now_ns);

/**
 * pack_policy_sent() - The link took @bytes that @plan made.
 * @busy_ns: for how long they, and nothing before them, kept it busy.
 *
 * Of the batch that didn't get smaller, @plan is still the one it was packed
 * by.
 */
void pack_policy_sent(struct pack_policy *p, struct pack_plan plan,
		      size_t bytes, uint64_t busy_ns, uint64_t now_ns);

/**
 * pack_policy_path() - Of what was sent, @bytes have arrived, and the way itself,
 * whoever had a CPU, was busy with them for @busy_ns.  Optional.
 */
void pack_policy_path(struct pack_policy *p, uint64_t bytes, uint64_t busy_ns,
		      uint64_t now_ns);

/**
 * pack_policy_ran() - A thread of the migration computed for @wall_ns, and ran
 * for @cpu_ns of that: the rest it waited for a CPU.
 */
void pack_policy_ran(struct pack_policy *p, uint64_t wall_ns, uint64_t cpu_ns);

/**
 * pack_policy_trial() - Whether a plan should be tried now.
 *
 * Return: true: pack PACK_TRIAL_BYTES of the batch by @plan, throw them away,
 * and tell pack_policy_tried().
 */
bool pack_policy_trial(struct pack_policy *p, struct pack_plan *plan,
		       uint64_t now_ns);

/** pack_policy_tried() - As pack_policy_packed(), of a trial. */
void pack_policy_tried(struct pack_policy *p, struct pack_plan plan,
		       size_t raw, size_t packed, uint64_t ns,
		       uint64_t now_ns);

#endif
