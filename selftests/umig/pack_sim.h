/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A simulated migration, for who chooses what to pack with: workers that pack,
 * a queue, a socket's buffer, a link and a receiver that unpacks.  No time
 * passes but its own.
 *
 *   policy --plan--> workers --> queue --> buffer --> link --> receiver
 *     ^----- packed ----/                    /
 *     ^--------------- sent ----------------/
 */
#ifndef SELFTESTS_PACK_SIM_H
#define SELFTESTS_PACK_SIM_H

#include <stdint.h>

#include "migrate/pack_policy.h"

#define SIM_BATCH (2U << 20)
#define SIM_QUEUE 8
#define SIM_WORKERS 8
#define SIM_CODECS \
	(WIRE_CODEC_BIT(WIRE_CODEC_LZ4) | WIRE_CODEC_BIT(WIRE_CODEC_ZSTD))

/* In the order of the policy's own. */
extern const struct pack_plan sim_plans[PACK_PLANS];

/**
 * struct sim_host - How fast hosts are with each plan, in bytes a second.
 * @workers: so many pack, at most SIM_WORKERS.
 */
struct sim_host {
	const char *name;
	double pack[PACK_PLANS];
	double unpack[PACK_PLANS];
	unsigned int workers;
};

/**
 * struct sim_content - What memory is like.
 * @ratio: packed bytes a byte, by plan,
 * @other: but by turns so many, each for @every batches; 0: always.
 */
struct sim_content {
	const char *name;
	double ratio[PACK_PLANS];
	unsigned int every;
	double other;
};

/**
 * struct sim - A migration; times in seconds, speed in bytes a second.
 * @host, @content, @link: as it begins.
 * @link_later, @content_later: from batch @change on; 0, NULL: as before.
 * @words: frames between two batches with little in them.
 * @worker: when each is free.
 * @sent: when the batch SIM_QUEUE before was on its way.
 * @accepted: when the socket took the last byte,
 * @drained: when the link is through with it,
 * @placed: and when the receiver is.
 * @batch: so many have been sent,
 * @used: so many by each plan,
 * @raw_before: and so many unpacked before @change.
 */
struct sim {
	const struct sim_host *host;
	const struct sim_content *content;
	double link;
	double link_later;
	const struct sim_content *content_later;
	unsigned int change;
	unsigned int words;

	double worker[SIM_WORKERS];
	double sent[SIM_QUEUE];
	double accepted;
	double drained;
	double placed;
	unsigned int batch;
	unsigned int used[PACK_PLANS];
	unsigned int raw_before;
};

/** sim_run() - Send @batches as a policy of @option has it: how long it took. */
double sim_run(struct sim *s, const struct pack_option *option,
	       unsigned int batches);

/** sim_ns() - @s seconds. */
uint64_t sim_ns(double s);

/** sim_index() - Which of sim_plans it is. */
unsigned int sim_index(struct pack_plan plan);

/** sim_ratio() - Packed bytes a byte of the next batch, by plan @i. */
double sim_ratio(const struct sim *s, unsigned int i);

#endif
