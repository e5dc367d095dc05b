// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks can die in silence: the sysctl kernel.ftrace_enabled=0 and
 * /sys/kernel/debug/kprobes/enabled both leave kprobes registered that never
 * fire again, and kprobes drops a hit that comes in the middle of another.
 * Then the index may promise what isn't true.
 *
 * So a canary, a kprobe of the same kind on a function of this module, is made
 * to sing before each batch of queries and every second; the counters of
 * dropped hits are compared at the same time.
 *
 *   hooks found dead	mode SCAN: RANGE gives no digests, CONFIRM hashes every
 *			page again, all memory is scanned from time to time
 *   hooks alive again,	all digests are void, all memory is scanned, every page
 *   or hits dropped	is hashed again; then mode HOOKS
 *   a node not laid	mode SCAN until unloaded, without scans: what a scan
 *   out as known	finds can't be trusted either
 *
 * What this can't see is a switch that is turned off and on again between two
 * checks.  Against what is missed then stand the other guards: an entry dies
 * also when its node's address is used again, RANGE compares page numbers, and
 * one lease in 64 is hashed again.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "health.h"

#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/kprobes.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include "account.h"
#include "adopt.h"
#include "events.h"
#include "group.h"
#include "hasher.h"
#include "hook.h"
#include "index.h"
#include "lease.h"
#include "stats.h"
#include "trace.h"

#define TICK_JIFFIES		HZ
#define SCAN_MODE_TICKS		10

static atomic_t songs = ATOMIC_INIT(0);

static struct {
	struct mutex lock;	/* for changes */
	bool alive;
	unsigned long missed;
} health = {
	.lock = __MUTEX_INITIALIZER(health.lock),
	.alive = true,
};

/* Global and empty, so that a kprobe finds it and nothing else is in it. */
void umig_canary(void);
noinline void umig_canary(void)
{
	barrier();
}

static int on_canary(struct kprobe *kp, struct pt_regs *regs)
{
	atomic_inc(&songs);
	return 0;
}

static struct kprobe canary = {
	.symbol_name = "umig_canary",
	.pre_handler = on_canary,
};

/*
 * A song of another task may be taken for ours only if the hooks worked in
 * that instant.  nmissed: the canary itself can be one of the dropped hits.
 */
static bool canary_sings(void)
{
	int before = atomic_read(&songs);

	umig_canary();
	if (atomic_read(&songs) != before)
		return true;
	umig_canary();
	return atomic_read(&songs) != before;
}

static void hooks_died(void)
{
	umig_count(UMIG_CANARY_FAILS);
	if (umig_hook_alien())
		pr_err("KSM's structures aren't what this version knows: no digests are given out any more; unload the module and report the kernel's version\n");
	else
		pr_warn("the kernel's kprobes don't fire any more: falling back to scans, no digests for RANGE; set sysctl kernel.ftrace_enabled=1 and /sys/kernel/debug/kprobes/enabled to 1\n");
}

static void hooks_doubtful(unsigned long missed, bool were_dead)
{
	if (were_dead)
		pr_info("the hooks are alive again, all merged pages are hashed anew\n");
	umig_count_add(UMIG_HOOK_MISSES, missed);
	umig_index_invalidate();
	umig_hasher_want_scan();
}

static bool health_changed(bool alive)
{
	unsigned long missed;
	bool changed;

	mutex_lock(&health.lock);
	missed = umig_hook_missed() - health.missed;
	if (!alive && health.alive)
		hooks_died();
	else if (alive && (!health.alive || missed))
		hooks_doubtful(missed, !health.alive);
	changed = alive != health.alive || (alive && missed);
	if (changed)
		trace_umig_health(alive, missed);
	if (alive)
		health.missed += missed;
	WRITE_ONCE(health.alive, alive);
	mutex_unlock(&health.lock);
	if (changed)
		umig_events_wake();
	return alive;
}

/**
 * umig_health_check() - May the index be believed?
 *
 * Before a batch of work and after it: if the answer is true both times and
 * the index's generation is the same, the hooks worked in between.
 *
 * Return: false: no: mode SCAN.
 */
bool umig_health_check(void)
{
	bool alive = canary_sings() && !umig_hook_alien();

	if (likely(alive && READ_ONCE(health.alive) &&
		   umig_hook_missed() == READ_ONCE(health.missed)))
		return true;
	return health_changed(alive);
}

static void tick(struct work_struct *work);
static DECLARE_DELAYED_WORK(tick_work, tick);

static void tick(struct work_struct *work)
{
	static unsigned int ticks;

	if (!umig_health_check() && !umig_hook_alien() &&
	    ++ticks % SCAN_MODE_TICKS == 0)
		umig_hasher_want_scan();
	umig_lease_expire();
	umig_group_reap();
	umig_account_reap();
	umig_adopt_reap();
	umig_index_reap();
	schedule_delayed_work(&tick_work, TICK_JIFFIES);
}

int umig_health_init(void)
{
	int err = register_kprobe(&canary);

	if (err)
		pr_err("can't set a kprobe: %d: kprobes must be enabled (CONFIG_KPROBES, /sys/kernel/debug/kprobes/enabled)\n",
		       err);
	return err;
}

void umig_health_start(void)
{
	schedule_delayed_work(&tick_work, TICK_JIFFIES);
}

void umig_health_stop(void)
{
	cancel_delayed_work_sync(&tick_work);
}

void umig_health_exit(void)
{
	unregister_kprobe(&canary);
}
