// SPDX-License-Identifier: GPL-2.0
/*
 * The worker, one kernel thread at low priority.  It does three things, each
 * in small portions, so that none starves another:
 *
 *   queue	new nodes that the hooks have seen get an entry
 *   scan	all KSM pages get one, at load (synchronously) and after doubt
 *   hash	entries without a digest get it, once there is a key
 *
 * Hashing holds a reference to the page, so that the content is one and the
 * same all the time once it is there; umig_index_store() proves that it was the
 * node's.
 *
 * The hooks must not wake a task themselves: KSM's locks are held, and a
 * wakeup takes the scheduler's.  They raise an irq_work, which does it; but an
 * interrupt for each of KSM's events costs ksmd a good part of its time.  So only
 * the first one after a rest raises it, and the worker rests only when nothing
 * has come for a while.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "hasher.h"

#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "health.h"
#include "hook.h"
#include "hotplug.h"
#include "index.h"
#include "key.h"
#include "stable_tree.h"
#include "stats.h"
#include "trace.h"

#define QUEUE_PORTION	1024	/* events */
#define SCAN_PORTION	64	/* steps of UMIG_SCAN_PAGES */
#define HASH_PORTION	64	/* pages */
#define SWEEP_PORTION	64	/* entries */
#define ALIEN_PAGES	64	/* fewer may be on their way elsewhere */
/* What comes within this time of the last event waits for its end. */
#define LINGER_MS	10

static DECLARE_WAIT_QUEUE_HEAD(worker_wait);
static struct task_struct *worker;
/* 1: the worker won't look for work until it is woken.  See worker_may_rest(). */
static atomic_t resting = ATOMIC_INIT(0);
static bool scan_wanted;	/* set by anyone, cleared by the worker */
static bool scanning;		/* written by the worker */
static unsigned long scan_jiffies;	/* written by the worker */

/* The worker's own. */
static void *bounce;
static struct umig_scan scan;
static unsigned long scan_begin;

static void wake_worker(struct irq_work *work)
{
	wake_up(&worker_wait);
}

static DEFINE_IRQ_WORK(wake_work, wake_worker);

/**
 * umig_hasher_kick() - There is something to do.
 *
 * From any context.  What there is to do has been recorded before.
 */
void umig_hasher_kick(void)
{
	/* Pairs with worker_may_rest(): one of the two sees the other. */
	smp_mb();
	if (atomic_read(&resting) && atomic_xchg(&resting, 0))
		irq_work_queue(&wake_work);
}

/** umig_hasher_want_scan() - The index may have missed something. */
void umig_hasher_want_scan(void)
{
	WRITE_ONCE(scan_wanted, true);
	umig_hasher_kick();
}

/**
 * umig_hasher_backlog() - Pages that wait to be hashed.
 *
 * A scan that is due or runs may find more, so it counts as one: 0 means that
 * everything is hashed.
 */
u64 umig_hasher_backlog(void)
{
	struct umig_index_usage usage;
	bool scan_due = READ_ONCE(scan_wanted) || READ_ONCE(scanning);
	unsigned int queued = umig_hook_queue_len();

	umig_index_usage(&usage);
	return usage.unhashed + queued + scan_due;
}

/* An entry that can't be allocated is found again by a later scan. */
static void note(const struct umig_place *place)
{
	if (umig_index_note(place) == 0)
		return;
	umig_count(UMIG_QUEUE_LOST);
	umig_hasher_want_scan();
	schedule_timeout_idle(HZ / 10);
}

static void drain_queue(void)
{
	struct umig_place place;
	unsigned int i;

	for (i = 0; i < QUEUE_PORTION && umig_hook_peek(&place); i++) {
		note(&place);
		umig_hook_consume();
		cond_resched();
	}
}

static void scan_step(struct umig_scan *s)
{
	struct umig_place found[UMIG_SCAN_PAGES];
	unsigned int i, nr;

	nr = umig_scan_step(s, found);
	for (i = 0; i < nr; i++)
		note(&found[i]);
}

/** umig_hasher_scan_jiffies() - How long the last scan took. */
unsigned long umig_hasher_scan_jiffies(void)
{
	return READ_ONCE(scan_jiffies);
}

static bool is_alien(const struct umig_scan *s)
{
	return s->disagree > s->agree;
}

/* No hook tells of nodes that go. */
static void sweep(void)
{
	struct umig_index_usage usage;
	u64 done;

	umig_index_usage(&usage);
	for (done = 0; done < usage.hashed; done += SWEEP_PORTION) {
		umig_index_sweep(SWEEP_PORTION);
		umig_index_reap();
		cond_resched();
	}
}

static void scan_end(void)
{
	trace_umig_scan(true, scan.agree);
	if (is_alien(&scan) && scan.disagree >= ALIEN_PAGES) {
		pr_err_once("the layout of KSM's structures isn't known: %llu of %llu merged pages don't match; report the kernel's version\n",
			    scan.disagree, scan.agree + scan.disagree);
		umig_hook_set_alien();
	}
	if (!umig_health_check())
		sweep();
	WRITE_ONCE(scan_jiffies, jiffies - scan_begin);
	umig_count(UMIG_RESCANS);
	WRITE_ONCE(scanning, false);
}

static void scan_some(void)
{
	unsigned int i;

	if (!scanning) {
		if (!READ_ONCE(scan_wanted))
			return;
		/* Who wants one from here on may get the one that begins. */
		WRITE_ONCE(scanning, true);
		xchg(&scan_wanted, false);
		umig_scan_start(&scan);
		scan_begin = jiffies;
		trace_umig_scan(false, 0);
	}
	for (i = 0; i < SCAN_PORTION && !umig_scan_done(&scan); i++)
		scan_step(&scan);
	if (umig_scan_done(&scan))
		scan_end();
}

/* Under umig_pages_lock(). */
static int hash_place(const struct umig_place *place,
		      const struct umig_hash *hash)
{
	struct folio *folio = umig_place_get_folio(place);
	u8 digest[UMIG_DIGEST_SIZE];
	int err;

	if (IS_ERR(folio))
		return PTR_ERR(folio);
	/* Migration lets the new page point to the node before the content. */
	err = umig_place_is_settled(place, folio) ? 0 : -EAGAIN;
	if (!err)
		err = umig_hash_folio(hash, folio, bounce, digest);
	if (!err)
		err = umig_index_store(place, folio, digest, hash->generation);
	folio_put(folio);
	return err;
}

/* A frozen or locked page, or no memory: try again later. */
static bool passes(int err)
{
	return err == -EAGAIN || err == -ENOMEM;
}

/*
 * The entry is still the first of the list unless it has been stored, dropped
 * or deferred, so each error must lead to one of these, or to a new state of
 * the index in which the same page can be hashed.
 */
static void hash_next(const struct umig_place *place,
		      const struct umig_hash *hash)
{
	int err;

	umig_pages_lock();
	err = hash_place(place, hash);
	if (err && !passes(err))
		umig_index_drop(place, err != -ESTALE);
	umig_pages_unlock();
	trace_umig_hash(place->pfn, err);

	if (!err) {
		umig_count(UMIG_HASHED);
	} else if (passes(err)) {
		umig_index_defer(place);
		schedule_timeout_idle(1);
	} else {
		umig_count(UMIG_HASH_STALE);
	}
}

static void hash_some(void)
{
	struct umig_place place;
	struct umig_hash hash;
	unsigned int i;

	if (!umig_key_get(&hash))
		return;
	for (i = 0; i < HASH_PORTION && umig_index_next(&place); i++) {
		if (hash.generation != umig_index_generation())
			break;
		hash_next(&place, &hash);
		cond_resched();
	}
	memzero_explicit(&hash, sizeof(hash));
}

static bool work_waits(void)
{
	struct umig_place place;

	return umig_hook_queue_len() || READ_ONCE(scan_wanted) || scanning ||
	       (umig_key_loaded() && umig_index_next(&place));
}

/*
 * Called again after each wakeup, which may have been for nothing.  Who records
 * work after it was looked for finds the flag, and kicks.
 */
static bool worker_may_rest(void)
{
	atomic_set(&resting, 1);
	/* Pairs with umig_hasher_kick(). */
	smp_mb();
	return !kthread_should_stop() && !work_waits();
}

/* Until there is work, or an end. */
static void rest(void)
{
	if (work_waits())
		return;
	schedule_timeout_idle(msecs_to_jiffies(LINGER_MS));
	wait_event_idle(worker_wait, !worker_may_rest());
	atomic_set(&resting, 0);
}

static int work(void *unused)
{
	set_user_nice(current, 10);
	while (!kthread_should_stop()) {
		drain_queue();
		scan_some();
		hash_some();
		umig_index_reap();
		cond_resched();
		rest();
	}
	return 0;
}

/**
 * umig_hasher_take_stock() - Find what is merged already, and check the layout.
 *
 * At load, before the worker starts and after the hooks are attached, so that
 * nothing falls between.  Page migration explains a page or two whose node
 * names another one; a majority means that this KSM isn't the one we know.
 *
 * Return: 0 or -EOPNOTSUPP.
 */
int umig_hasher_take_stock(void)
{
	struct umig_scan stock;

	umig_scan_start(&stock);
	while (!umig_scan_done(&stock)) {
		scan_step(&stock);
		cond_resched();
	}
	umig_count(UMIG_RESCANS);
	if (is_alien(&stock)) {
		pr_err("the layout of KSM's structures isn't known: %llu of %llu merged pages don't match; nothing can be done with this kernel, report its version\n",
		       stock.disagree, stock.agree + stock.disagree);
		return -EOPNOTSUPP;
	}
	pr_info("found %llu merged pages\n", stock.agree);
	return 0;
}

int umig_hasher_init(void)
{
	bounce = (void *)__get_free_page(GFP_KERNEL);
	return bounce ? 0 : -ENOMEM;
}

int umig_hasher_start(void)
{
	worker = kthread_run(work, NULL, "umig_hash");
	return PTR_ERR_OR_ZERO(worker);
}

/** umig_hasher_stop() - The hooks are gone by now; wait for the worker. */
void umig_hasher_stop(void)
{
	kthread_stop(worker);
}

/** umig_hasher_exit() - Nobody raises the irq_work any more. */
void umig_hasher_exit(void)
{
	irq_work_sync(&wake_work);
	free_page((unsigned long)bounce);
}
