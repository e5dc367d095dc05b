// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks can die in silence: the sysctl kernel.ftrace_enabled=0 and
 * /sys/kernel/debug/kprobes/enabled both leave kprobes registered that never
 * fire again, and kprobes drops a hit that comes in the middle of another.
 * Then the index may promise what isn't true.
 *
 * So a canary, a kprobe of the same kind on a function of this module, is made
 * to sing before each batch of queries and every second; the counters of
 * dropped hits are compared at the same time, and where KSM has a tracepoint for
 * removals that one's count with the hook's (crosscheck.c).
 *
 *   hooks found dead	mode SCAN: RANGE gives no digests, CONFIRM hashes every
 *			page again, all memory is scanned from time to time
 *   hooks alive again,	all digests are void, all memory is scanned, every page
 *   or hits missed	is hashed again; then mode HOOKS
 *   removals missed	mode SCAN until unloaded: there is a way to remove nodes
 *   time and again	that the hook doesn't see
 *   a node not laid	mode SCAN until unloaded, without scans: what a scan
 *   out as known	finds can't be trusted either
 *   no hooks at load	mode SCAN until unloaded, see below
 *
 * Without the tracepoint (before 6.4) this can't see a switch that is turned off
 * and on again between two checks.  Against what is missed then stand the other
 * guards: an entry dies
 * also when its node's address is used again, RANGE compares page numbers, and
 * one lease in 64 is hashed again.
 */

/**
 * DOC: Mode SCAN
 *
 * Nobody tells what KSM does, so the index is a list of hints, none of which is
 * given out as such:
 *
 * - RANGE gives no digests.
 * - CONFIRM and read(2) hash the page again while they hold a reference to it,
 *   after they have found it unlocked and still to be a KSM page: page migration
 *   keeps the new page locked from before it looks like one until it has the
 *   content.  A held KSM page never changes (stable_tree.c), so what was hashed
 *   is what is leased.
 * - A scan of all memory finds new pages, and is followed by a sweep that drops
 *   the entries whose page isn't their node's any more.
 *
 * None of it depends on how a stable node is laid out: if that isn't known no
 * page is found.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "health.h"

#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/kprobes.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "account.h"
#include "adopt.h"
#include "crosscheck.h"
#include "events.h"
#include "group.h"
#include "hasher.h"
#include "hook.h"
#include "index.h"
#include "lease.h"
#include "probe.h"
#include "stats.h"
#include "trace.h"

#define TICK_JIFFIES		HZ
/* So many times can't be people who switch the hooks off and on again. */
#define CROSSCHECK_FAILS_MAX	32
/* Scans have a twentieth of a CPU at most, and come now and then nevertheless. */
#define SCAN_PAUSE_MIN		(10UL * HZ)
#define SCAN_PAUSE_MAX		(300UL * HZ)
#define SCAN_PAUSE_FACTOR	20

static atomic_t songs = ATOMIC_INIT(0);

static struct {
	struct mutex lock;	/* for changes */
	bool alive;
	unsigned long missed;
	unsigned int crosscheck_fails;
	/* Set at load. */
	bool hookless;
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

/* From umig_health_init() on. */
static struct kprobe *canary;

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

/* The hook for removals doesn't see all; never mended. */
static bool is_deaf(void)
{
	return READ_ONCE(health.crosscheck_fails) >= CROSSCHECK_FAILS_MAX;
}

static void hooks_died(void)
{
	umig_count(UMIG_CANARY_FAILS);
	if (is_deaf())
		pr_err("KSM drops pages behind the back of the hook: no digests are given out any more; unload the module and report the kernel's version\n");
	else if (umig_hook_alien())
		pr_err("KSM's structures aren't what this version knows: no digests are given out any more; unload the module and report the kernel's version\n");
	else
		pr_warn("the kernel's kprobes don't fire any more: falling back to scans, no digests for RANGE; set sysctl kernel.ftrace_enabled=1 and /sys/kernel/debug/kprobes/enabled to 1\n");
}

static void hooks_doubtful(bool were_dead)
{
	if (were_dead)
		pr_info("the hooks are alive again, all merged pages are hashed anew\n");
	umig_index_invalidate();
	umig_hasher_want_scan();
}

/*
 * Removals that the hook has missed though it was thought to be alive.  Of a hit
 * that kprobes has dropped it is known already.
 */
static u64 crosscheck(bool alive, u64 dropped)
{
	u64 missed = umig_crosscheck_take();

	if (missed <= dropped || !alive || !health.alive)
		return 0;
	umig_count(UMIG_CROSSCHECK_FAILS);
	if (++health.crosscheck_fails == 1)
		pr_warn("KSM has dropped %llu pages of which the hook hasn't heard: all merged pages are hashed anew\n",
			missed - dropped);
	return missed - dropped;
}

static bool health_changed(bool alive)
{
	unsigned long dropped, missed;
	bool changed;

	mutex_lock(&health.lock);
	dropped = umig_hook_missed() - health.missed;
	missed = dropped + crosscheck(alive, dropped);
	umig_count_add(UMIG_HOOK_MISSES, alive ? dropped : 0);
	alive = alive && !is_deaf();
	if (!alive && health.alive)
		hooks_died();
	else if (alive && (!health.alive || missed))
		hooks_doubtful(!health.alive);
	changed = alive != health.alive || (alive && missed);
	if (changed)
		trace_umig_health(alive, missed);
	if (alive)
		health.missed += dropped;
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
	bool alive = !health.hookless && !is_deaf() && canary_sings() &&
		     !umig_hook_alien();

	if (likely(alive && READ_ONCE(health.alive) &&
		   umig_hook_missed() == READ_ONCE(health.missed) &&
		   !umig_crosscheck_missed()))
		return true;
	return health_changed(alive);
}

static void tick(struct work_struct *work);
static DECLARE_DELAYED_WORK(tick_work, tick);

/* The clock's own. */
static unsigned long last_scan;

static void scan_now_and_then(void)
{
	unsigned long pause = clamp(umig_hasher_scan_jiffies() *
				    SCAN_PAUSE_FACTOR,
				    SCAN_PAUSE_MIN, SCAN_PAUSE_MAX);

	if (time_before(jiffies, last_scan + pause))
		return;
	last_scan = jiffies;
	umig_hasher_want_scan();
}

static void tick(struct work_struct *work)
{
	if (!umig_health_check() && !umig_hook_alien())
		scan_now_and_then();
	umig_lease_expire();
	umig_group_reap();
	umig_account_reap();
	umig_adopt_reap();
	umig_index_reap();
	schedule_delayed_work(&tick_work, TICK_JIFFIES);
}

/**
 * umig_health_init() - Attach the canary.
 *
 * Return: 0; -EOPNOTSUPP: this kernel has no kprobes; another -errno.
 */
int umig_health_init(void)
{
	int err;

	canary = kzalloc(sizeof(*canary), GFP_KERNEL);
	if (!canary)
		return -ENOMEM;
	canary->symbol_name = "umig_canary";
	canary->pre_handler = on_canary;
	err = register_kprobe(canary);
	if (!err)
		return 0;
	pr_warn("can't set a kprobe: %d: kprobes must be enabled (CONFIG_KPROBES, /sys/kernel/debug/kprobes/enabled)\n",
		err);
	kfree(canary);
	return err;
}

/** umig_health_do_without() - At load: there are no hooks, and no canary. */
void umig_health_do_without(void)
{
	health.hookless = true;
	health.alive = false;
	pr_warn("mode scan: this kernel's KSM can't be hooked, for the reason above: VMs that leave this host are sent whole, those that come find merged pages here, each hashed again first\n");
}

void umig_health_start(void)
{
	last_scan = jiffies;
	schedule_delayed_work(&tick_work, TICK_JIFFIES);
}

void umig_health_stop(void)
{
	cancel_delayed_work_sync(&tick_work);
}

void umig_health_exit(void)
{
	if (!health.hookless && umig_probes_unregister(&canary, 1))
		kfree(canary);
}
