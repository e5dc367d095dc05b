// SPDX-License-Identifier: GPL-2.0
/*
 * RANGE: which pages of the caller's memory, or of another process's, are merged,
 * with which digest.
 *
 * A page is looked at while a reference to it is held: mapping, node, digest,
 * mapping again.  References are taken without FOLL_PIN, which would un-merge
 * the page, without faulting anything in, and are dropped after microseconds.
 * Numbers of pages are never taken from page tables by other ways: they would
 * race with migration and reuse.
 *
 * No page is hashed here.  A merged page that the index doesn't know is told
 * to it, and the caller that there is no digest yet.
 */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <linux/umig.h>

#include "chardev.h"
#include "compat/compat.h"
#include "hasher.h"
#include "health.h"
#include "hole.h"
#include "index.h"
#include "procmem.h"
#include "stable_tree.h"
#include "stats.h"
#include "trace.h"

/* They stand on the stack. */
#define GUP_PORTION	128U
#define SLOW_PORTION	32U

/**
 * struct answer - What a run of RANGE has found.
 * @runs: room for @max_runs.
 * @digests: room for @max_digests, and one.
 * @max_runs: fixed.
 * @max_digests: fixed.
 * @nr_runs: filled.
 * @nr_digests: filled.
 * @nr_pages: pages that are part of a run.
 * @generation: of all digests.
 * @trusted: false: the hooks are in doubt, no digest is given.
 * @foreign: another process's memory, which isn't waited for.
 */
struct answer {
	struct umig_run *runs;
	u8 (*digests)[UMIG_DIGEST_SIZE];
	u32 max_runs;
	u32 max_digests;
	u32 nr_runs;
	u32 nr_digests;
	u32 nr_pages;
	u64 generation;
	bool trusted;
	bool foreign;
};

static void answer_reset(struct answer *a)
{
	a->nr_runs = 0;
	a->nr_digests = 0;
	a->nr_pages = 0;
	a->generation = umig_index_generation();
}

static struct umig_run *answer_last_run(const struct answer *a)
{
	return a->nr_runs ? &a->runs[a->nr_runs - 1] : NULL;
}

static bool answer_begin_run(struct answer *a, u32 class)
{
	if (a->nr_runs == a->max_runs)
		return false;
	a->runs[a->nr_runs++] = (struct umig_run){ .first = a->nr_pages,
						   .class = class };
	return true;
}

/*
 * Returns false if there is no room: those pages aren't part of the answer.
 * Inline: for each page, and nearly always it has the class of the one before.
 */
static __always_inline bool answer_add(struct answer *a, u32 class, u32 nr)
{
	struct umig_run *run = answer_last_run(a);

	if (unlikely(!run || run->class != class)) {
		if (!answer_begin_run(a, class))
			return false;
		run = answer_last_run(a);
	}
	run->count += nr;
	a->nr_pages += nr;
	return true;
}

/* Sleeps, outside of the caller's RCU section: he keeps nothing of the index. */
static void note_unknown(const struct umig_place *place)
{
	if (umig_index_full())
		return;
	rcu_read_unlock();
	umig_index_note(place);
	umig_hasher_kick();
	rcu_read_lock();
}

/* The caller holds a reference to the folio, in which @place was found. */
static bool find_digest(const struct answer *a, struct folio *folio,
			const struct umig_place *place, u8 *digest)
{
	/* The entry is looked up after the mapping has been read ... */
	smp_rmb();
	if (umig_index_digest_rcu(place, a->generation, digest)) {
		/* ... and the mapping again after the entry. */
		smp_rmb();
		return umig_folio_node(folio) == place->node;
	}
	note_unknown(place);
	return false;
}

/* There is room for one digest more than the answer may have. */
static bool add_merged(struct answer *a, struct folio *folio)
{
	struct umig_place place = {
		.node = umig_folio_node(folio),
		.pfn = folio_pfn(folio),
	};

	if (!a->trusted || !place.node ||
	    !find_digest(a, folio, &place, a->digests[a->nr_digests]))
		return answer_add(a, UMIG_PAGE_MERGED_UNHASHED, 1);
	if (a->nr_digests == a->max_digests ||
	    !answer_add(a, UMIG_PAGE_MERGED, 1))
		return false;
	a->nr_digests++;
	return true;
}

static bool look_at_page(struct answer *a, struct page *page)
{
	struct folio *folio = page_folio(page);

	if (is_zero_pfn(page_to_pfn(page)))
		return answer_add(a, UMIG_PAGE_ZERO, 1);
	if (folio_test_ksm(folio))
		return add_merged(a, folio);
	return answer_add(a, UMIG_PAGE_PRIVATE, 1);
}

/* Gives the references back.  One RCU section for all: entering takes time. */
static bool look_at_pages(struct answer *a, struct page **pages, long nr)
{
	bool room = true;
	long i;

	rcu_read_lock();
	for (i = 0; i < nr; i++) {
		if (room)
			room = look_at_page(a, pages[i]);
		put_page(pages[i]);
	}
	rcu_read_unlock();
	return room;
}

/*
 * What the fast way doesn't see: no page, the zero page (its entry is special),
 * or an entry that has changed under it.
 */
static bool look_slowly(struct answer *a, unsigned long addr, u32 nr)
{
	struct page *pages[SLOW_PORTION];
	struct mm_struct *mm = current->mm;
	long got = 0;

	/* Killed while waiting: what is answered doesn't matter any more. */
	if (a->foreign ? mmap_read_trylock(mm) : !mmap_read_lock_killable(mm)) {
		got = umig_get_mapped_pages(mm, addr, min(nr, SLOW_PORTION),
					    0, pages);
		mmap_read_unlock(mm);
	}
	if (got <= 0)
		return answer_add(a, UMIG_PAGE_ABSENT, 1);
	return look_at_pages(a, pages, got);
}

/* Returns false if the answer is full. */
static bool look_at_some(struct answer *a, unsigned long addr, u32 nr)
{
	struct page *pages[GUP_PORTION];
	u32 hole;
	int got;

	got = get_user_pages_fast_only(addr, min(nr, GUP_PORTION), 0, pages);
	if (got > 0)
		return look_at_pages(a, pages, got);
	hole = umig_hole_pages(addr, nr);
	if (hole)
		return answer_add(a, UMIG_PAGE_ABSENT, hole);
	return look_slowly(a, addr, nr);
}

static int look_at_all(struct answer *a, unsigned long addr, u32 nr)
{
	u32 left;

	answer_reset(a);
	for (left = nr; left; left = nr - a->nr_pages) {
		if (!look_at_some(a, addr + a->nr_pages * PAGE_SIZE, left))
			break;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/*
 * Digests are given out only if the hooks were alive before and after, and
 * nothing made them void meanwhile.
 */
static int look_surely(struct answer *a, unsigned long addr, u32 nr)
{
	int err;

	a->trusted = umig_health_check();
	err = look_at_all(a, addr, nr);
	if (err || !a->nr_digests)
		return err;
	if (umig_health_check() && a->generation == umig_index_generation())
		return 0;
	a->trusted = false;
	return look_at_all(a, addr, nr);
}

static int range_check(const struct umig_range *cmd)
{
	u64 end;

	if (cmd->flags || !cmd->nr_pages || cmd->nr_pages > UMIG_MAX_BATCH ||
	    !cmd->nr_runs || !IS_ALIGNED(cmd->addr, PAGE_SIZE) ||
	    check_add_overflow(cmd->addr, (u64)cmd->nr_pages << PAGE_SHIFT,
			       &end))
		return -EINVAL;
	return 0;
}

struct look {
	struct answer *a;
	unsigned long addr;
	u32 nr;
};

static int look_as_owner(void *arg)
{
	struct look *look = arg;

	return look_surely(look->a, look->addr, look->nr);
}

/* Looking needs current->mm to be the memory that is looked at. */
static int look_from_where(const struct umig_range *cmd, struct answer *a)
{
	struct look look = { .a = a, .addr = cmd->addr, .nr = cmd->nr_pages };
	struct mm_struct *mm;
	int err;

	if (cmd->mem_fd == -1)
		return look_as_owner(&look);
	mm = umig_procmem_get(cmd->mem_fd);
	if (IS_ERR(mm))
		return PTR_ERR(mm);
	a->foreign = true;
	err = umig_procmem_run(mm, look_as_owner, &look);
	mmput(mm);
	return err;
}

static int range_answer(struct umig_ucmd *ucmd, const struct answer *a)
{
	struct umig_range *cmd = ucmd->cmd;

	if (copy_to_user(u64_to_user_ptr(cmd->runs), a->runs,
			 a->nr_runs * sizeof(*a->runs)) ||
	    copy_to_user(u64_to_user_ptr(cmd->digests), a->digests,
			 a->nr_digests * sizeof(*a->digests)))
		return -EFAULT;
	cmd->nr_pages = a->nr_pages;
	cmd->nr_runs = a->nr_runs;
	cmd->nr_digests = a->nr_digests;
	umig_count_add(UMIG_RANGE_PAGES, a->nr_pages);
	umig_count_add(UMIG_RANGE_MERGED, a->nr_digests);
	trace_umig_range(a->nr_pages, a->nr_digests, a->trusted);
	return umig_ucmd_respond(ucmd);
}

/** umig_ioctl_range() - Look at a range of memory. */
int umig_ioctl_range(struct umig_ucmd *ucmd)
{
	struct umig_range *cmd = ucmd->cmd;
	struct answer a = {};
	int err;

	err = range_check(cmd);
	if (err)
		return err;
	a.max_runs = min(cmd->nr_runs, cmd->nr_pages);
	a.max_digests = min(cmd->nr_digests, cmd->nr_pages);
	a.runs = kvmalloc_array(a.max_runs, sizeof(*a.runs), GFP_KERNEL);
	a.digests = kvmalloc_array(a.max_digests + 1, sizeof(*a.digests),
				   GFP_KERNEL);
	err = -ENOMEM;
	if (a.runs && a.digests)
		err = look_from_where(cmd, &a);
	if (!err)
		err = range_answer(ucmd, &a);
	kvfree(a.digests);
	kvfree(a.runs);
	return err;
}
