// SPDX-License-Identifier: GPL-2.0
/*
 * Leases.  A lease is a reference to a KSM page, and that is all of the
 * promise: while the reference is held the page is not freed and its content
 * does not change, whatever its users do (stable_tree.c has the argument).
 * They write: they get copies.  They all unmap: the page lives on for the
 * lease.  KSM un-merges everything: the page stays as it was.
 *
 * What it costs: the page can't be migrated, compacted or swapped out, its
 * memory can't be taken offline, and its charge stays with its memory cgroup.
 * Hence limits by file, by user and in total; a time after which an unused lease
 * is taken back, a much shorter one when memory is short; and private copies
 * instead of references when memory is to go offline.
 */
#include "lease.h"

#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/highmem.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "account.h"
#include "events.h"
#include "params.h"
#include "stats.h"
#include "trace.h"

/**
 * DOC: Lifetime
 *
 *   umig_lease_add()           ─▶ linked: in its file's ids and in the global
 *                                 list, least recently used first
 *   RELEASE, close, expiry,    ─▶ unlinked from both under the lock, then the
 *   memory is short               reference is dropped and the lease freed
 *
 * Everything is under one mutex, which is held for a moment only: FILL takes a
 * reference of its own under it and copies without it.  Lock order:
 * umig_pages_lock(), the mutex.  Memory is allocated under it, so reclaim, which
 * may come from there, only tries to get it.
 *
 * A private copy would be no help when memory is short: where the page has other
 * users it is one page more, and where it has none it is as large.  So then a
 * lease that hasn't been used for lease_grace_ms is taken back, the least
 * recently used first; its owner has the page sent.
 */

#define CLOSE_PORTION	256

/* All fields under lease_lock; page, owner and id never change but for page. */
struct lease {
	struct list_head used_link;
	unsigned long used;		/* jiffies */
	struct umig_leases *owner;
	struct page *page;		/* KSM's, or a private copy */
	u32 id;
};

static struct kmem_cache *lease_cache;
static DEFINE_MUTEX(lease_lock);
static LIST_HEAD(by_use);
static unsigned int nr_leases;

/** umig_lease_count() - Leases held now, by all files. */
u64 umig_lease_count(void)
{
	return READ_ONCE(nr_leases);
}

void umig_leases_init(struct umig_leases *leases,
		      struct umig_account *account)
{
	xa_init_flags(&leases->ids, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	leases->next_id = 1;
	leases->nr = 0;
	leases->account = account;
	atomic_set(&leases->lost, 0);
}

static u32 uid_of(const struct umig_leases *leases)
{
	return __kuid_val(leases->account->uid);
}

static bool at_limit_locked(const struct umig_leases *leases)
{
	return leases->nr >= READ_ONCE(umig_leases_per_file) ||
	       leases->account->leases >= READ_ONCE(umig_leases_per_uid) ||
	       nr_leases >= READ_ONCE(umig_leases_total);
}

static int link_locked(struct umig_leases *leases, struct lease *lease)
{
	int err;

	if (at_limit_locked(leases))
		return -ENOSPC;
	err = xa_alloc_cyclic(&leases->ids, &lease->id, lease, xa_limit_31b,
			      &leases->next_id, GFP_KERNEL);
	if (err < 0)
		return err;
	list_add_tail(&lease->used_link, &by_use);
	leases->nr++;
	leases->account->leases++;
	WRITE_ONCE(nr_leases, nr_leases + 1);
	trace_umig_lease(uid_of(leases), lease->id, page_to_pfn(lease->page));
	return 0;
}

static void free_locked(struct lease *lease, enum umig_lease_end why)
{
	trace_umig_lease_end(uid_of(lease->owner), lease->id, why);
	xa_erase(&lease->owner->ids, lease->id);
	list_del(&lease->used_link);
	lease->owner->nr--;
	lease->owner->account->leases--;
	if (why != UMIG_LEASE_GIVEN_BACK)
		atomic_inc(&lease->owner->lost);
	WRITE_ONCE(nr_leases, nr_leases - 1);
	put_page(lease->page);
	kmem_cache_free(lease_cache, lease);
}

/**
 * umig_lease_add() - Make a lease of a reference.
 * @leases: the file's.
 * @folio: a KSM page; its reference is the lease's on success only.  The
 *	caller has taken it under the umig_pages_lock() that it still holds: a
 *	notifier of memory that goes offline finds the lease in the list.
 * @id: out: its number; 0 if there is none.
 *
 * Return: 0; -ENOSPC: at a limit; -ENOMEM.
 */
int umig_lease_add(struct umig_leases *leases, struct folio *folio, u32 *id)
{
	struct lease *lease = kmem_cache_zalloc(lease_cache,
						GFP_KERNEL_ACCOUNT);
	int err;

	if (!lease)
		return -ENOMEM;
	lease->owner = leases;
	lease->page = folio_page(folio, 0);
	lease->used = jiffies;

	mutex_lock(&lease_lock);
	err = link_locked(leases, lease);
	/* The array has numbered it even if it then had no memory for it. */
	*id = err ? 0 : lease->id;
	mutex_unlock(&lease_lock);
	if (err)
		kmem_cache_free(lease_cache, lease);
	if (err == -ENOSPC)
		umig_count(UMIG_LEASE_REFUSED);
	return err;
}

/**
 * umig_lease_get_page() - The page of a lease, to copy from.
 * @leases: the file's.
 * @id: any number.
 *
 * Counts as a use of the lease.
 *
 * Return: the page with a reference of the caller's own, or NULL.
 */
struct page *umig_lease_get_page(struct umig_leases *leases, u32 id)
{
	struct page *page = NULL;
	struct lease *lease;

	mutex_lock(&lease_lock);
	lease = xa_load(&leases->ids, id);
	if (lease) {
		lease->used = jiffies;
		list_move_tail(&lease->used_link, &by_use);
		page = lease->page;
		get_page(page);
	}
	mutex_unlock(&lease_lock);
	return page;
}

/**
 * umig_lease_put() - The owner gives a lease back.
 * @leases: the file's.
 * @id: any number.
 *
 * Return: whether there was such a lease.
 */
bool umig_lease_put(struct umig_leases *leases, u32 id)
{
	struct lease *lease;

	mutex_lock(&lease_lock);
	lease = xa_load(&leases->ids, id);
	if (lease)
		free_locked(lease, UMIG_LEASE_GIVEN_BACK);
	mutex_unlock(&lease_lock);
	if (lease)
		umig_count(UMIG_LEASE_RELEASED);
	return lease;
}

static unsigned int put_some(struct umig_leases *leases)
{
	unsigned long id = 0;
	unsigned int nr = 0;
	struct lease *lease;

	mutex_lock(&lease_lock);
	xa_for_each(&leases->ids, id, lease) {
		free_locked(lease, UMIG_LEASE_GIVEN_BACK);
		if (++nr == CLOSE_PORTION)
			break;
	}
	mutex_unlock(&lease_lock);
	return nr;
}

/**
 * umig_lease_put_all() - The owner gives all leases back, or closes.
 * @leases: the file's.
 *
 * Return: how many there were.
 */
unsigned int umig_lease_put_all(struct umig_leases *leases)
{
	unsigned int nr, total = 0;

	do {
		nr = put_some(leases);
		total += nr;
		cond_resched();
	} while (nr);
	umig_count_add(UMIG_LEASE_RELEASED, total);
	return total;
}

static unsigned int take_back_locked(unsigned long idle, unsigned int max,
				     enum umig_lease_end why)
{
	unsigned int nr = 0;
	struct lease *lease;

	while (nr < max && !list_empty(&by_use)) {
		lease = list_first_entry(&by_use, struct lease, used_link);
		if (time_before(jiffies, lease->used + idle))
			break;
		free_locked(lease, why);
		nr++;
	}
	return nr;
}

static unsigned int expire_some(unsigned long ttl)
{
	unsigned int nr;

	mutex_lock(&lease_lock);
	nr = take_back_locked(ttl, CLOSE_PORTION, UMIG_LEASE_TIMED_OUT);
	mutex_unlock(&lease_lock);
	return nr;
}

/** umig_lease_expire() - Take back what hasn't been used for long. */
void umig_lease_expire(void)
{
	unsigned long ttl = msecs_to_jiffies(READ_ONCE(umig_lease_ttl_ms));
	unsigned int nr;

	do {
		nr = expire_some(ttl);
		umig_count_add(UMIG_LEASE_EXPIRED, nr);
		if (nr)
			umig_events_wake();
		cond_resched();
	} while (nr);
}

/**
 * umig_lease_reclaim() - Memory is short: take back what isn't in use just now.
 * @nr: at most so many.
 *
 * From reclaim: waits for nothing.
 *
 * Return: how many.
 */
unsigned long umig_lease_reclaim(unsigned long nr)
{
	unsigned long grace =
		msecs_to_jiffies(READ_ONCE(umig_lease_grace_ms));
	unsigned int done;

	if (!mutex_trylock(&lease_lock))
		return 0;
	done = take_back_locked(grace, min_t(unsigned long, nr, CLOSE_PORTION),
				UMIG_LEASE_MEMORY_SHORT);
	mutex_unlock(&lease_lock);
	umig_count_add(UMIG_LEASE_RECLAIMED, done);
	if (done)
		umig_events_wake();
	return done;
}

/* Not kmap'ed at once for both: the copy may meet broken memory and fail. */
static struct page *copy_page_safely(struct page *page)
{
	struct page *copy = alloc_page(GFP_KERNEL | __GFP_NOWARN);
	void *from, *to;
	unsigned long left;

	if (!copy)
		return NULL;
	from = kmap_local_page(page);
	to = kmap_local_page(copy);
	left = copy_mc_to_kernel(to, from, PAGE_SIZE);
	kunmap_local(to);
	kunmap_local(from);
	if (!left)
		return copy;
	__free_page(copy);
	return NULL;
}

static void convert_locked(struct lease *lease)
{
	struct page *copy = copy_page_safely(lease->page);

	if (!copy) {
		free_locked(lease, UMIG_LEASE_NO_COPY);
		umig_count(UMIG_LEASE_EXPIRED);
		return;
	}
	put_page(lease->page);
	lease->page = copy;
	umig_count(UMIG_LEASE_CONVERTED);
}

/**
 * umig_lease_convert_range() - Let go of pages that shall go offline.
 * @start_pfn: first page.
 * @end_pfn: one behind the last.
 *
 * A lease keeps its content in a page of its own.  Where no memory can be had
 * for that the lease is taken back, as if it had expired: its owner asks for
 * the page itself.  A copy may be charged to whoever offlines the memory; the
 * limits bound how many there are.
 */
void umig_lease_convert_range(unsigned long start_pfn, unsigned long end_pfn)
{
	struct lease *lease, *next;
	unsigned long pfn;

	mutex_lock(&lease_lock);
	list_for_each_entry_safe(lease, next, &by_use, used_link) {
		pfn = page_to_pfn(lease->page);
		if (pfn >= start_pfn && pfn < end_pfn)
			convert_locked(lease);
		cond_resched();
	}
	mutex_unlock(&lease_lock);
	umig_events_wake();
}

int umig_lease_init(void)
{
	lease_cache = kmem_cache_create("umig_lease", sizeof(struct lease), 0,
					0, NULL);
	return lease_cache ? 0 : -ENOMEM;
}

/** umig_lease_exit() - Every file is closed, so there is no lease. */
void umig_lease_exit(void)
{
	WARN_ON(nr_leases);
	kmem_cache_destroy(lease_cache);
}
