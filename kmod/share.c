// SPDX-License-Identifier: GPL-2.0
/*
 * SHARE: leased content into the caller's memory, the page that results being
 * the leased KSM page itself wherever that can be had.
 *
 * The content is copied first, as FILL does it, which makes the answer right
 * whatever follows.  Then KSM's own merging function is called with the page
 * that has just been filled and the leased one, as ksmd would when it had found
 * the two: it write protects the caller's page, compares, and maps the other.
 * What can't be merged remains a copy, for ksmd to find.
 */
#include "share.h"

#include <linux/bitops.h>
#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <linux/umig.h>

#include "adopt.h"
#include "chardev.h"
#include "compat/compat.h"
#include "fill.h"
#include "ksm.h"
#include "lease.h"
#include "params.h"
#include "stable_tree.h"
#include "stats.h"
#include "trace.h"

/**
 * DOC: Why this may be done from outside of KSM
 *
 * The process that results is one that fork(2) makes as well: a KSM page mapped
 * in a mergeable area, read-only, that KSM has no sharer (rmap_item) for.  KSM
 * copes with it: ksmd appends a sharer when it comes by, run=2 and
 * MADV_UNMERGEABLE look at page tables and not at sharers, a write copies, an
 * exit unmaps.  What differs from fork(2): reverse mapping finds a child's
 * mappings through its parent's sharers and doesn't find ours.  Until ksmd has
 * been here the page can therefore not be reclaimed or migrated: the kernel
 * tries, finds the page still mapped and leaves it.  So there is no sharing
 * unless ksmd is at work (run=1), and unshare.c undoes it for memory that is to
 * go offline.
 *
 * - The leased page is locked from before its node is looked at until it is
 *   mapped: KSM drops a node that is alive (run=2) under that lock and only if
 *   the page isn't mapped.  So no page without a node is ever mapped.
 * - Both page locks are only tried; no order to keep.  mmap_lock is held for
 *   reading, as ksmd does: a mapping neither goes nor stops being mergeable.
 * - Of two threads that share to one address one stays with its copy: else the
 *   one that fails could take the other's page off the account.
 * - The number of mappings is held to KSM's max_page_sharing, which bounds the
 *   time of a walk over them.
 * - Where KSM keeps NUMA nodes apart (merge_across_nodes=0) so does this.
 *
 * Where the process had the same page at the same address before, in an area that
 * it has unmapped since, and KSM hasn't noticed yet, KSM takes its old sharer for
 * the new mapping's.  Then none is appended, and the page can't be reclaimed or
 * migrated, until it is written or unmapped.  The account goes on naming it, so
 * offlining and unloading are right.
 */

/* Few enough that all of them are filled on one CPU as a rule: see merge(). */
#define PORTION	64
/* So many that two who share at once hardly meet by chance. */
#define IN_USE_BITS	12

/**
 * struct share - One run of SHARE.
 * @mm: the caller's memory.
 * @leases: the file's.
 * @items: all.
 * @bounce: a page, to copy through.
 * @enabled: pages are shared; else copied.
 * @across_nodes: from one NUMA node to another, too.
 * @max_sharers: mappings of a page at most.
 * @nr_filled: items with their content in place, shared or not.
 * @nr_shared: of these, shared.
 */
struct share {
	struct mm_struct *mm;
	struct umig_leases *leases;
	struct umig_fill_item *items;
	void *bounce;
	bool enabled;
	bool across_nodes;
	long max_sharers;
	u32 nr_filled;
	u32 nr_shared;
};

/** umig_share_works() - Would SHARE share now? */
bool umig_share_works(void)
{
	return READ_ONCE(umig_share) && umig_ksm_can_merge() &&
	       umig_ksm_setting(UMIG_KSM_RUN, 0) == 1;
}

/* Under the page's lock. */
static bool may_share(const struct share *s, struct page *page,
		      struct page *leased)
{
	struct folio *folio = page_folio(leased);

	if (!umig_folio_node(folio) || PageHWPoison(leased) ||
	    umig_folio_mapcount(folio) >= s->max_sharers)
		return false;
	return s->across_nodes || page_to_nid(page) == page_to_nid(leased);
}

/*
 * Expected before it is there: ksmd may be quicker than we.  What has been
 * expected already stays so: a child may have inherited it.
 */
static int merge_expected(struct vm_area_struct *vma, unsigned long addr,
			  struct page *page, struct page *leased)
{
	int is_new = umig_adopt_expect(vma, addr);
	int err;

	if (is_new < 0)
		return is_new;
	err = umig_ksm_merge(vma, page, leased);
	if (err && is_new)
		umig_adopt_forget(vma->vm_mm, addr);
	return err;
}

/* A bit for the addresses, of anybody, to which a page is being shared. */
static DECLARE_BITMAP(in_use, BIT(IN_USE_BITS));

static unsigned int in_use_bit(const struct mm_struct *mm, unsigned long addr)
{
	return hash_long((unsigned long)mm + (addr >> PAGE_SHIFT), IN_USE_BITS);
}

static int merge_pages(struct share *s, struct vm_area_struct *vma,
		       unsigned long addr, struct page *page,
		       struct page *leased)
{
	unsigned int bit = in_use_bit(s->mm, addr);
	int err;

	if (!may_share(s, page, leased))
		return -EINVAL;
	if (test_and_set_bit_lock(bit, in_use))
		return -EAGAIN;
	err = merge_expected(vma, addr, page, leased);
	clear_bit_unlock(bit, in_use);
	return err;
}

/* The caller holds mmap_lock for reading. */
static int merge_at(struct share *s, unsigned long addr, struct page *leased)
{
	struct vm_area_struct *vma = vma_lookup(s->mm, addr);
	struct page *page;
	int err = -EAGAIN;

	if (!vma || !(vma->vm_flags & VM_MERGEABLE) || !vma->anon_vma)
		return -EINVAL;
	if (get_user_pages_fast_only(addr, 1, 0, &page) != 1)
		return -EAGAIN;
	if (trylock_page(leased)) {
		err = merge_pages(s, vma, addr, page, leased);
		unlock_page(leased);
	}
	put_page(page);
	return err;
}

static void merge_item(struct share *s, struct umig_fill_item *item)
{
	struct page *leased = umig_lease_get_page(s->leases, item->lease);

	/* Expired since it was copied. */
	if (!leased)
		return;
	if (!merge_at(s, item->addr, leased)) {
		item->result = 0;
		s->nr_shared++;
	}
	put_page(leased);
}

/* Returns how many copies are left. */
static u32 merge_once(struct share *s, struct umig_fill_item *items, u32 nr)
{
	u32 i, left = 0;

	if (mmap_read_lock_killable(s->mm))
		return 0;
	for (i = 0; i < nr; i++) {
		if (items[i].result != UMIG_SHARE_COPIED)
			continue;
		merge_item(s, &items[i]);
		left += items[i].result == UMIG_SHARE_COPIED;
	}
	mmap_read_unlock(s->mm);
	return left;
}

/*
 * A page that has just been touched first is referenced by its CPU's list of
 * pages on their way to the LRU, and KSM doesn't merge what somebody else has a
 * reference to.  So that list is emptied before; and once more for those that
 * still didn't go: another CPU's have gone out by then more often than not, and
 * a page that was locked needn't be any more.
 */
static void merge(struct share *s, struct umig_fill_item *items, u32 nr)
{
	u32 left;

	umig_lru_drain_cpu();
	left = merge_once(s, items, nr);
	if (!left)
		return;
	umig_count_add(UMIG_SHARE_RETRIED, left);
	umig_lru_drain_cpu();
	merge_once(s, items, nr);
}

static void share_portion(struct share *s, struct umig_fill_item *items,
			  u32 nr)
{
	u32 i, filled = 0;

	for (i = 0; i < nr; i++) {
		items[i].result = umig_fill_one(s->leases, &items[i],
						s->bounce);
		if (items[i].result)
			continue;
		items[i].result = UMIG_SHARE_COPIED;
		filled++;
	}
	s->nr_filled += filled;
	if (filled && s->enabled)
		merge(s, items, nr);
}

static int share_all(struct share *s, u32 nr)
{
	u32 at, n;

	for (at = 0; at < nr; at += n) {
		n = min_t(u32, nr - at, PORTION);
		share_portion(s, s->items + at, n);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	umig_count_add(UMIG_SHARED, s->nr_shared);
	umig_count_add(UMIG_SHARE_COPIED_PAGES, s->nr_filled - s->nr_shared);
	umig_count_add(UMIG_FILL_FAILED, nr - s->nr_filled);
	trace_umig_share(nr, s->nr_filled, s->nr_shared);
	return 0;
}

static int share_run(struct umig_ucmd *ucmd, struct share *s)
{
	struct umig_share *cmd = ucmd->cmd;
	size_t bytes = cmd->nr * sizeof(*s->items);
	int err;

	if (copy_from_user(s->items, u64_to_user_ptr(cmd->items), bytes))
		return -EFAULT;
	err = share_all(s, cmd->nr);
	if (err)
		return err;
	if (copy_to_user(u64_to_user_ptr(cmd->items), s->items, bytes))
		return -EFAULT;
	cmd->nr_filled = s->nr_filled;
	cmd->nr_shared = s->nr_shared;
	return umig_ucmd_respond(ucmd);
}

/** umig_ioctl_share() - Make the caller share leased pages. */
int umig_ioctl_share(struct umig_ucmd *ucmd)
{
	struct umig_share *cmd = ucmd->cmd;
	struct share s = {
		.mm = current->mm,
		.leases = &ucmd->file->leases,
	};
	int err = -ENOMEM;

	if (cmd->flags || cmd->reserved || !cmd->nr ||
	    cmd->nr > UMIG_MAX_BATCH)
		return -EINVAL;
	s.enabled = umig_share_works();
	s.across_nodes = umig_ksm_setting(UMIG_KSM_MERGE_ACROSS_NODES, 1) == 1;
	s.max_sharers = umig_ksm_setting(UMIG_KSM_MAX_PAGE_SHARING, 0);
	s.items = kvmalloc_array(cmd->nr, sizeof(*s.items), GFP_KERNEL);
	s.bounce = (void *)__get_free_page(GFP_KERNEL);
	if (s.items && s.bounce)
		err = share_run(ucmd, &s);
	free_page((unsigned long)s.bounce);
	kvfree(s.items);
	return err;
}
