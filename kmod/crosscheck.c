// SPDX-License-Identifier: GPL-2.0
/*
 * KSM has a tracepoint in the function that drops a node, since 6.4.  It fires
 * exactly once in each call, works when kprobes are switched off, and also where
 * a compiler has put a copy of the function into a caller, in which no kprobe
 * is.  So its count is compared with that of the hook.
 *
 * Only this hook: a removal that is missed is what could make an entry outlive
 * its node.  An insertion or a move that is missed costs an entry, and KSM has no
 * tracepoints that fire once for each.
 *
 * The hook counts first, the tracepoint after.  So the hook is ahead by a fixed
 * number, of the time before the tracepoint was attached, and by one more while a
 * removal is under way (KSM's mutex allows one at a time); if it ever is ahead by
 * less, it has missed something.  The number may be taken while one is under way,
 * and is one too large then: that is one false alarm later on, at the price of a
 * scan.
 *
 * A kernel without the tracepoint has no second opinion.
 */
#include "crosscheck.h"

#include <linux/atomic.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "stats.h"

/* Immutable after init; NULL if there is none. */
static struct tracepoint *removal;
static atomic64_t told = ATOMIC64_INIT(0);

/* How far the hook is ahead; under the health lock. */
static s64 lead;

/* In the middle of KSM, as a hook: it only counts. */
static void on_removal(void *data, unsigned long pfn)
{
	/* After the hook's. */
	smp_mb__before_atomic();
	atomic64_inc(&told);
}

static s64 lead_now(void)
{
	s64 tracepoint = atomic64_read(&told);

	/* What comes between the two makes the lead larger. */
	smp_rmb();
	return atomic64_read(&umig_counters[UMIG_HOOK_REMOVES]) - tracepoint;
}

static void is_it(struct tracepoint *tp, void *found)
{
	if (!strcmp(tp->name, "ksm_remove_ksm_page"))
		*(struct tracepoint **)found = tp;
}

/** umig_crosscheck_init() - After the hooks have been attached. */
void umig_crosscheck_init(void)
{
	struct tracepoint *tp = NULL;

	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		return;
	for_each_kernel_tracepoint(is_it, &tp);
	if (!tp || tracepoint_probe_register(tp, on_removal, NULL))
		return;
	removal = tp;
	lead = lead_now();
}

/** umig_crosscheck_exit() - No probe runs any more on return. */
void umig_crosscheck_exit(void)
{
	if (!removal)
		return;
	tracepoint_probe_unregister(removal, on_removal, NULL);
	tracepoint_synchronize_unregister();
	removal = NULL;
}

/** umig_crosscheck_missed() - Removals that the hook hasn't heard of. */
u64 umig_crosscheck_missed(void)
{
	return removal ? max(READ_ONCE(lead) - lead_now(), 0LL) : 0;
}

/** umig_crosscheck_take() - The same, once each; under the health lock. */
u64 umig_crosscheck_take(void)
{
	u64 missed = umig_crosscheck_missed();

	WRITE_ONCE(lead, lead - (s64)missed);
	return missed;
}
