// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings that SHARE has made, and that KSM hasn't come across yet, can't be
 * found by their page.  Memory that goes offline would wait for them for ever:
 * the kernel tries to migrate the page again and again, and ksmd, which could
 * make the page's list of sharers whole, stands still meanwhile.  So the
 * processes get copies of those pages, as if they had written them.
 *
 * - Memory goes offline: those in the range.  A worker does it, because the
 *   notifier mustn't wait for a process's mmap_lock; the notifier waits for the
 *   first try, some time, and the worker tries again as long as memory is going.
 *   The kernel repeats what it couldn't migrate until then.
 * - The process has died: its children may have such mappings, see adopt.c.
 * - The module is unloaded: all, because nobody will be there to do it later.
 *
 * Who gets them: the process that pages have been shared with, and those forked
 * from it, at the same addresses.  Of anybody else nothing is copied.
 *
 * Not done where memory is short: at the worst the pages stay shared and what
 * has been said above of memory that goes offline is so, until ksmd has been at
 * work for a pass.  That is told.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "unshare.h"

#include <linux/bitmap.h>
#include <linux/completion.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "adopt.h"
#include "compat/compat.h"
#include "stable_tree.h"

/* Pages that are looked at under one mmap_lock. */
#define WINDOW		1024u
#define RETRY_JIFFIES	(HZ / 4)
/* Passes have a quarter of a CPU at most. */
#define RETRY_FACTOR	3
#define FIRST_TRY_MS	10000
/* Processes that may come while they are counted. */
#define MORE_PROCESSES	64
#define EXIT_TRIES	20

/**
 * struct mms - All processes of which KSM has memory, at some time.
 * @mm: held by mmgrab(): a process may end meanwhile.
 * @nr: how many.
 * @room: for so many.
 */
struct mms {
	struct mm_struct **mm;
	size_t nr;
	size_t room;
};

/**
 * struct pass - Once through all that may have to be copied.
 * @start_pfn: of the pages to be freed, the first.
 * @end_pfn: one behind the last.
 * @copied: pages.
 * @left: pages, or processes, that must be looked at again.
 * @mms: for memory that goes offline only, whose processes were listed before.
 */
struct pass {
	unsigned long start_pfn;
	unsigned long end_pfn;
	unsigned long copied;
	unsigned long left;
	struct mms mms;
};

/* What is left must do for the machine itself. */
static bool memory_is_short(void)
{
	return si_mem_available() < (long)(totalram_pages() / 64);
}

static bool is_wanted(const struct pass *pass, struct page *page)
{
	unsigned long pfn = page_to_pfn(page);

	return pfn >= pass->start_pfn && pfn < pass->end_pfn &&
	       umig_folio_node(page_folio(page));
}

static void unshare_page(struct pass *pass, struct mm_struct *mm,
			 unsigned long addr)
{
	struct page *page;
	bool wanted;

	if (umig_get_mapped_pages(mm, addr, 1, FOLL_FORCE, &page) != 1)
		return;
	wanted = is_wanted(pass, page);
	put_page(page);
	if (!wanted)
		return;
	if (memory_is_short() || umig_unshare_mapped_page(mm, addr))
		pass->left++;
	else
		pass->copied++;
}

/* The caller holds mmap_lock; only pages that the bitmap has. */
static void unshare_vma(struct pass *pass, struct vm_area_struct *vma,
			const struct umig_stretch *stretch,
			unsigned int at, unsigned int end)
{
	unsigned long base = stretch->base;
	unsigned long first = max(vma->vm_start, base + at * PAGE_SIZE);
	unsigned long last = min(vma->vm_end, base + end * PAGE_SIZE);
	unsigned int bit = (first - base) >> PAGE_SHIFT;

	for_each_set_bit_from(bit, stretch->bits, (last - base) >> PAGE_SHIFT) {
		unshare_page(pass, vma->vm_mm, base + bit * PAGE_SIZE);
		cond_resched();
	}
}

static void unshare_window(struct pass *pass, struct mm_struct *mm,
			   const struct umig_stretch *stretch,
			   unsigned int at, unsigned int end)
{
	unsigned long stop = stretch->base + end * PAGE_SIZE;
	struct vm_area_struct *vma;

	/* Its holder may be waiting for whom we are working for. */
	if (!mmap_read_trylock(mm)) {
		pass->left++;
		return;
	}
	vma = find_vma(mm, stretch->base + at * PAGE_SIZE);
	while (vma && vma->vm_start < stop) {
		if (vma->vm_flags & VM_MERGEABLE &&
		    umig_roots_have(stretch->roots, vma))
			unshare_vma(pass, vma, stretch, at, end);
		vma = find_vma(mm, vma->vm_end);
	}
	mmap_read_unlock(mm);
}

static void unshare_mm(struct pass *pass, struct mm_struct *mm,
		       const struct umig_stretch *stretch)
{
	unsigned int at, end, size = UMIG_ADOPT_CHUNK_PAGES;

	for (at = 0; at < size; at = end) {
		at = find_next_bit(stretch->bits, size, at);
		end = min(size, at + WINDOW);
		if (at < size)
			unshare_window(pass, mm, stretch, at, end);
	}
}

/* Under rcu_read_lock(). */
static struct mm_struct *get_mergeable_mm(struct task_struct *task)
{
	struct mm_struct *mm;

	task_lock(task);
	mm = task->flags & PF_KTHREAD ? NULL : task->mm;
	if (mm && umig_mm_mergeable(mm))
		mmgrab(mm);
	else
		mm = NULL;
	task_unlock(task);
	return mm;
}

/* The first thread may be gone and others not. */
static struct mm_struct *get_process_mm(struct task_struct *process)
{
	struct mm_struct *mm = NULL;
	struct task_struct *task;

	for_each_thread(process, task) {
		mm = get_mergeable_mm(task);
		if (mm)
			break;
	}
	return mm;
}

static size_t count_processes(void)
{
	struct task_struct *process;
	size_t nr = 0;

	rcu_read_lock();
	for_each_process(process)
		nr++;
	rcu_read_unlock();
	return nr;
}

/* To be given back; false: they aren't all. */
static bool mms_get(struct mms *all)
{
	struct task_struct *process;
	struct mm_struct *mm;

	all->nr = 0;
	all->room = count_processes() + MORE_PROCESSES;
	all->mm = kvmalloc_array(all->room, sizeof(*all->mm), GFP_KERNEL);
	if (!all->mm)
		return false;
	rcu_read_lock();
	for_each_process(process) {
		if (all->nr == all->room)
			break;
		mm = get_process_mm(process);
		if (mm)
			all->mm[all->nr++] = mm;
	}
	rcu_read_unlock();
	return all->nr < all->room;
}

static void mms_put(struct mms *all)
{
	while (all->nr)
		mmdrop(all->mm[--all->nr]);
	kvfree(all->mm);
}

static void unshare_in(const struct mms *mms, struct pass *pass,
		       const struct umig_stretch *stretch)
{
	size_t i;

	for (i = 0; i < mms->nr; i++) {
		if (!mmget_not_zero(mms->mm[i]))
			continue;
		unshare_mm(pass, mms->mm[i], stretch);
		mmput(mms->mm[i]);
	}
}

static void unshare_in_listed(const struct umig_stretch *stretch, void *arg)
{
	struct pass *pass = arg;

	unshare_in(&pass->mms, pass, stretch);
}

/* There is no pass after this one if nothing is left: list them now. */
static void unshare_in_all(const struct umig_stretch *stretch, void *arg)
{
	struct pass *pass = arg;
	struct mms all;

	if (!mms_get(&all))
		pass->left++;
	unshare_in(&all, pass, stretch);
	mms_put(&all);
}

/**
 * umig_unshare_chunk() - Whatever of it is merged, of whom it concerns.
 * @stretch: where.
 * @again: bool, set if some of it has to be tried again.
 */
void umig_unshare_chunk(const struct umig_stretch *stretch, void *again)
{
	struct pass pass = { .end_pfn = ULONG_MAX };

	unshare_in_all(stretch, &pass);
	if (pass.left && !memory_is_short())
		*(bool *)again = true;
}

/* The range that goes; empty: none does. */
static DEFINE_SPINLOCK(range_lock);
static struct pass range;
static DECLARE_COMPLETION(tried);

static bool range_get(struct pass *pass)
{
	spin_lock(&range_lock);
	*pass = range;
	spin_unlock(&range_lock);
	return pass->start_pfn < pass->end_pfn;
}

static void range_set(unsigned long start_pfn, unsigned long end_pfn)
{
	spin_lock(&range_lock);
	range = (struct pass){ .start_pfn = start_pfn, .end_pfn = end_pfn };
	spin_unlock(&range_lock);
}

/* A process that comes meanwhile is met by the next pass. */
static void unshare_pass(struct pass *pass)
{
	if (!mms_get(&pass->mms))
		pass->left++;
	umig_adopt_walk(unshare_in_listed, pass);
	mms_put(&pass->mms);
	if (pass->copied)
		pr_info("%lu shared pages that KSM doesn't know yet are copied: memory goes offline\n",
			pass->copied);
}

static unsigned long pause_after(unsigned long begin)
{
	return max_t(unsigned long, RETRY_JIFFIES,
		     RETRY_FACTOR * (jiffies - begin));
}

static void unshare_range(struct work_struct *work)
{
	unsigned long begin = jiffies;
	struct pass pass;

	if (!range_get(&pass))
		return;
	if (umig_adopt_any())
		unshare_pass(&pass);
	complete(&tried);
	/* What was being shared just now is there by then, and children. */
	queue_delayed_work(system_long_wq, to_delayed_work(work),
			   pause_after(begin));
}

static DECLARE_DELAYED_WORK(range_work, unshare_range);

/**
 * umig_unshare_range_begin() - Until the end nothing keeps these pages.
 * @start_pfn: the first.
 * @end_pfn: one behind the last.
 *
 * Also if nothing has been shared: SHARE may have the reference to a page, and
 * be about to.
 */
void umig_unshare_range_begin(unsigned long start_pfn, unsigned long end_pfn)
{
	range_set(start_pfn, end_pfn);
	reinit_completion(&tried);
	mod_delayed_work(system_long_wq, &range_work, 0);
	if (umig_adopt_any())
		wait_for_completion_timeout(&tried,
					    msecs_to_jiffies(FIRST_TRY_MS));
}

/** umig_unshare_range_end() - Memory is gone, or stays. */
void umig_unshare_range_end(void)
{
	range_set(0, 0);
}

static void unshare_all(struct pass *pass)
{
	unsigned int i;

	for (i = 0; i < EXIT_TRIES; i++) {
		*pass = (struct pass){ .end_pfn = ULONG_MAX,
				       .copied = pass->copied };
		umig_adopt_walk(unshare_in_all, pass);
		if (!pass->left || memory_is_short())
			break;
		schedule_timeout_idle(HZ / 10);
	}
}

/** umig_unshare_exit() - Nothing is shared any more, no memory goes offline. */
void umig_unshare_exit(void)
{
	struct pass pass = {};

	cancel_delayed_work_sync(&range_work);
	if (!umig_adopt_any())
		return;
	unshare_all(&pass);
	if (pass.left)
		pr_warn("%lu shared pages that KSM doesn't know yet can't be copied: take no memory offline before KSM has been through (echo 1 > /sys/kernel/mm/ksm/run)\n",
			pass.left);
}
