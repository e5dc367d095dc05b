/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters since load.  Anyone may count from any context; STAT reports them.
 */
#ifndef UMIG_STATS_H
#define UMIG_STATS_H

#include <linux/atomic.h>
#include <linux/types.h>

struct umig_stat;

/* Each is described in &struct umig_stat, under the same name or nearly so. */
enum umig_counter {
	UMIG_HOOK_INSERTS,
	UMIG_HOOK_REMOVES,
	UMIG_HOOK_MOVES,
	UMIG_QUEUE_LOST,
	UMIG_RESCANS,
	UMIG_HASHED,
	UMIG_HASH_STALE,
	UMIG_EVICTED,
	UMIG_HOOK_MISSES,
	UMIG_CANARY_FAILS,
	UMIG_RANGE_PAGES,
	UMIG_RANGE_MERGED,
	UMIG_CONFIRM_ASKED,
	UMIG_CONFIRM_HELD,
	UMIG_LEASE_REHASHED,
	UMIG_LEASE_MISMATCH,
	UMIG_LEASE_EXPIRED,
	UMIG_LEASE_RELEASED,
	UMIG_FILLED,
	UMIG_FILL_FAILED,
	UMIG_LEASE_CONVERTED,
	UMIG_CONFIRM_OTHER_GROUP,
	UMIG_CONFIRM_BUSY,
	UMIG_CONFIRM_THROTTLED,
	UMIG_LEASE_REFUSED,
	UMIG_LEASE_RECLAIMED,
	UMIG_SHARED,
	UMIG_SHARE_COPIED_PAGES,
	UMIG_SHARE_RETRIED,
	UMIG_SHARE_ADOPTED,
	UMIG_CROSSCHECK_FAILS,
	UMIG_NR_COUNTERS,
};

extern atomic64_t umig_counters[UMIG_NR_COUNTERS];

static inline void umig_count_add(enum umig_counter counter, u64 n)
{
	atomic64_add(n, &umig_counters[counter]);
}

static inline void umig_count(enum umig_counter counter)
{
	umig_count_add(counter, 1);
}

void umig_stats_get(struct umig_stat *stat);

#endif
