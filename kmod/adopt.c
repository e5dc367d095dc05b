// SPDX-License-Identifier: GPL-2.0
/*
 * A mapping that SHARE has made is, to KSM, what fork(2) would have left: a
 * merged page in a process's memory without an entry in the page's list of
 * sharers.  ksmd makes the entry when it passes by; until then the page can't
 * be reclaimed or migrated.  This is the account of it: a bit for each page
 * shared, set before the page is mapped, cleared when KSM appends a sharer for
 * that address.  It is for counting, and for unshare.c, which undoes what KSM
 * doesn't know where that would stand in the way.
 *
 * The bits of a process stand in pages, one for 128 MiB of its memory, which is
 * less than what the page tables of a shared page take.  They go when the
 * process's memory has gone.  A bit that is left by a page that the process has
 * written or unmapped meanwhile does no harm.
 *
 * A child of fork(2) has such mappings at the same addresses, and KSM finds them
 * by the parent's sharers when it has those.  If the parent dies first its bits
 * are all that tells of them: before they are freed the children get copies.
 * What other processes have merged at these addresses is left alone, so the
 * areas' roots are kept, too: see struct umig_roots.
 *
 * What the account doesn't show:
 *
 * - Memory that mremap(2) moves before KSM has come by: it isn't at the addresses
 *   of the bits any more.  KSM finds it there with its next pass.
 * - A page that is shared to an address just when KSM appends a sharer for what it
 *   has merged there before: the bit goes for that one.  KSM's next pass finds
 *   that the page is another.
 *
 * Before that pass memory with such a page doesn't go offline.
 */
#include "adopt.h"

#include <linux/bitops.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "stats.h"
#include "unshare.h"

#define CHUNK_PAGES	UMIG_ADOPT_CHUNK_PAGES
#define CHUNK_BYTES	(CHUNK_PAGES * PAGE_SIZE)

/**
 * struct expected - The pages of one process.
 * @link: in expecting; RCU readers, changed under the lock, taken out under the
 *	walk lock as well.
 * @mm: whose; held by mmgrab(), so that its address names no other.
 * @chunks: bitmaps by address / (CHUNK_PAGES * PAGE_SIZE), only ever added to.
 * @roots: only ever added to, before the bit, under the lock.
 */
struct expected {
	struct hlist_node link;
	struct mm_struct *mm;
	struct xarray chunks;
	struct umig_roots roots;
};

static DEFINE_MUTEX(adopt_lock);
/* Outside of mmap_lock: who walks is sure that nothing he meets is freed. */
static DEFINE_MUTEX(walk_lock);
static HLIST_HEAD(expecting);

static unsigned long chunk_of(unsigned long addr)
{
	return (addr >> PAGE_SHIFT) / CHUNK_PAGES;
}

static unsigned long bit_of(unsigned long addr)
{
	return (addr >> PAGE_SHIFT) % CHUNK_PAGES;
}

/* Under rcu_read_lock() or the lock. */
static struct expected *find(const struct mm_struct *mm)
{
	struct expected *e;

	hlist_for_each_entry_rcu(e, &expecting, link,
				 lockdep_is_held(&adopt_lock))
		if (e->mm == mm)
			return e;
	return NULL;
}

static struct expected *find_or_add_locked(struct mm_struct *mm)
{
	struct expected *e = find(mm);

	if (e)
		return e;
	e = kzalloc(sizeof(*e), GFP_KERNEL_ACCOUNT);
	if (!e)
		return NULL;
	e->mm = mm;
	mmgrab(mm);
	xa_init_flags(&e->chunks, XA_FLAGS_ACCOUNT);
	hlist_add_head_rcu(&e->link, &expecting);
	return e;
}

static unsigned long *chunk_locked(struct expected *e, unsigned long addr)
{
	unsigned long *chunk;

	chunk = xa_load(&e->chunks, chunk_of(addr));
	if (chunk)
		return chunk;
	chunk = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (chunk && xa_err(xa_store(&e->chunks, chunk_of(addr), chunk,
				     GFP_KERNEL))) {
		free_page((unsigned long)chunk);
		chunk = NULL;
	}
	return chunk;
}

static void add_root_locked(struct umig_roots *roots,
			    const struct anon_vma *root)
{
	unsigned int i, nr = roots->nr;

	if (nr > UMIG_ADOPT_ROOTS)
		return;
	for (i = 0; i < nr; i++)
		if (roots->root[i] == root)
			return;
	if (nr < UMIG_ADOPT_ROOTS)
		roots->root[nr] = root;
	/* Pairs with umig_roots_have(). */
	smp_store_release(&roots->nr, nr + 1);
}

/**
 * umig_roots_have() - May the area have been shared pages with, or inherited
 * some?
 * @roots: of whom they were shared with.
 * @vma: of anybody's memory, whose mmap_lock the caller holds.
 *
 * Of a page that is being shared just now it may not know yet.
 */
bool umig_roots_have(const struct umig_roots *roots,
		     const struct vm_area_struct *vma)
{
	/* A first fault may just be setting it: then nothing is there yet. */
	const struct anon_vma *anon_vma = READ_ONCE(vma->anon_vma);
	/* Pairs with add_root_locked(). */
	unsigned int i, nr = smp_load_acquire(&roots->nr);

	if (!anon_vma || nr > UMIG_ADOPT_ROOTS)
		return anon_vma;
	for (i = 0; i < nr; i++)
		if (roots->root[i] == anon_vma->root)
			return true;
	return false;
}

static int expect_locked(const struct vm_area_struct *vma, unsigned long addr)
{
	struct expected *e = find_or_add_locked(vma->vm_mm);
	unsigned long *chunk = e ? chunk_locked(e, addr) : NULL;

	if (!chunk)
		return -ENOMEM;
	add_root_locked(&e->roots, vma->anon_vma->root);
	return !test_and_set_bit(bit_of(addr), chunk);
}

/**
 * umig_adopt_expect() - A page is about to be shared there.
 * @vma: of the calling process's memory, with an anon_vma; mmap_lock is held.
 * @addr: where in it.
 *
 * Return: 1; 0: one was expected there already; -ENOMEM.
 */
int umig_adopt_expect(const struct vm_area_struct *vma, unsigned long addr)
{
	int ret;

	mutex_lock(&adopt_lock);
	ret = expect_locked(vma, addr);
	mutex_unlock(&adopt_lock);
	return ret;
}

static bool clear_expected(const struct mm_struct *mm, unsigned long addr)
{
	bool was_set = false;
	unsigned long *chunk;
	struct expected *e;

	rcu_read_lock();
	e = find(mm);
	chunk = e ? xa_load(&e->chunks, chunk_of(addr)) : NULL;
	if (chunk)
		was_set = test_and_clear_bit(bit_of(addr), chunk);
	rcu_read_unlock();
	return was_set;
}

/**
 * umig_adopt_forget() - It hasn't been shared after all.
 * @mm: whose.
 * @addr: where umig_adopt_expect() has said 1.
 */
void umig_adopt_forget(struct mm_struct *mm, unsigned long addr)
{
	clear_expected(mm, addr);
}

/** umig_adopt_note() - KSM appends a sharer. */
void umig_adopt_note(const struct mm_struct *mm, unsigned long addr)
{
	if (hlist_empty(&expecting))
		return;
	if (clear_expected(mm, addr))
		umig_count(UMIG_SHARE_ADOPTED);
}

static void walk(struct expected *e, umig_adopt_fn *fn, void *arg)
{
	struct umig_stretch stretch = { .roots = &e->roots };
	unsigned long i;
	void *chunk;

	xa_for_each(&e->chunks, i, chunk) {
		if (bitmap_empty(chunk, CHUNK_PAGES))
			continue;
		stretch.base = i * CHUNK_BYTES;
		stretch.bits = chunk;
		fn(&stretch, arg);
	}
}

/** umig_adopt_any() - Has anything been shared with a process that lives? */
bool umig_adopt_any(void)
{
	return !hlist_empty(&expecting);
}

/**
 * umig_adopt_walk() - Go through all that KSM may not know.
 * @fn: called for each stretch of addresses in which there is something.
 * @arg: for it.
 *
 * Takes no lock that may not be held outside of mmap_lock.
 */
void umig_adopt_walk(umig_adopt_fn *fn, void *arg)
{
	struct expected *e;

	mutex_lock(&walk_lock);
	hlist_for_each_entry_rcu(e, &expecting, link,
				 lockdep_is_held(&walk_lock))
		walk(e, fn, arg);
	mutex_unlock(&walk_lock);
}

static void free_expected(struct expected *e)
{
	unsigned long i;
	void *chunk;

	xa_for_each(&e->chunks, i, chunk)
		free_page((unsigned long)chunk);
	xa_destroy(&e->chunks);
	mmdrop(e->mm);
	kfree(e);
}

static bool is_gone(const struct expected *e)
{
	return !atomic_read(&e->mm->mm_users);
}

/* Under the walk lock: nobody else takes out any. */
static void take_out(struct expected *e)
{
	mutex_lock(&adopt_lock);
	hlist_del_rcu(&e->link);
	mutex_unlock(&adopt_lock);
	/* Hooks may still be on it. */
	synchronize_rcu();
	free_expected(e);
}

/**
 * umig_adopt_reap() - Once a second: forget processes that are gone.
 *
 * Not while copies are made for memory that goes offline: that may take long,
 * and the caller has other things to do.
 */
void umig_adopt_reap(void)
{
	struct hlist_node *next;
	struct expected *e;
	bool again;

	if (!umig_adopt_any() || !mutex_trylock(&walk_lock))
		return;
	hlist_for_each_entry_safe(e, next, &expecting, link) {
		if (!is_gone(e))
			continue;
		again = false;
		walk(e, umig_unshare_chunk, &again);
		if (!again)
			take_out(e);
	}
	mutex_unlock(&walk_lock);
}

/** umig_adopt_exit() - No file is open and no hook is attached any more. */
void umig_adopt_exit(void)
{
	struct hlist_node *next;
	struct expected *e;

	mutex_lock(&walk_lock);
	hlist_for_each_entry_safe(e, next, &expecting, link)
		take_out(e);
	mutex_unlock(&walk_lock);
}
