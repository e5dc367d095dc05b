// SPDX-License-Identifier: GPL-2.0
/*
 * The counters, and their way into the answer of STAT.
 */
#include "stats.h"

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/kernel.h>
#include <linux/user_namespace.h>

#include <linux/umig.h>

#include "group.h"
#include "hasher.h"
#include "lease.h"

atomic64_t umig_counters[UMIG_NR_COUNTERS];

static u64 counted(enum umig_counter counter)
{
	return atomic64_read(&umig_counters[counter]);
}

/* What would tell the groups' secrets is for whoever may know everything. */
static u64 counted_for_root(enum umig_counter counter)
{
	return ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN) ?
	       counted(counter) : 0;
}

/**
 * umig_stats_get() - All counters and gauges.
 * @stat: out; its size and flags are left alone.
 */
void umig_stats_get(struct umig_stat *stat)
{
	stat->hook_inserts = counted(UMIG_HOOK_INSERTS);
	stat->hook_removes = counted(UMIG_HOOK_REMOVES);
	stat->hook_moves = counted(UMIG_HOOK_MOVES);
	stat->queue_lost = counted(UMIG_QUEUE_LOST);
	stat->queue_len = umig_hasher_backlog();
	stat->rescans = counted(UMIG_RESCANS);
	stat->hashed = counted(UMIG_HASHED);
	stat->hash_stale = counted(UMIG_HASH_STALE);
	stat->evicted = counted(UMIG_EVICTED);
	stat->hook_misses = counted(UMIG_HOOK_MISSES);
	stat->canary_fails = counted(UMIG_CANARY_FAILS);
	stat->range_pages = counted(UMIG_RANGE_PAGES);
	stat->range_merged = counted(UMIG_RANGE_MERGED);
	stat->confirm_asked = counted(UMIG_CONFIRM_ASKED);
	stat->confirm_held = counted(UMIG_CONFIRM_HELD);
	stat->lease_rehashed = counted(UMIG_LEASE_REHASHED);
	stat->lease_mismatch = counted(UMIG_LEASE_MISMATCH);
	stat->leases = umig_lease_count();
	stat->lease_expired = counted(UMIG_LEASE_EXPIRED);
	stat->lease_released = counted(UMIG_LEASE_RELEASED);
	stat->filled = counted(UMIG_FILLED);
	stat->fill_failed = counted(UMIG_FILL_FAILED);
	stat->lease_converted = counted(UMIG_LEASE_CONVERTED);
	stat->confirm_other_group =
		counted_for_root(UMIG_CONFIRM_OTHER_GROUP);
	stat->confirm_busy = counted_for_root(UMIG_CONFIRM_BUSY);
	stat->confirm_throttled = counted(UMIG_CONFIRM_THROTTLED);
	stat->lease_refused = counted(UMIG_LEASE_REFUSED);
	stat->lease_reclaimed = counted(UMIG_LEASE_RECLAIMED);
	stat->group_members = umig_group_members();
	stat->shared = counted(UMIG_SHARED);
	stat->share_copied = counted(UMIG_SHARE_COPIED_PAGES);
	stat->share_retried = counted(UMIG_SHARE_RETRIED);
	stat->share_adopted = counted(UMIG_SHARE_ADOPTED);
	stat->crosscheck_fails = counted(UMIG_CROSSCHECK_FAILS);
}
