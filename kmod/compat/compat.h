/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between kernel versions, and nothing else: the only files that
 * test LINUX_VERSION_CODE are in this directory.  Each shim says which change
 * it hides and when it can go.
 */
#ifndef UMIG_COMPAT_H
#define UMIG_COMPAT_H

#include <linux/mm.h>
#include <linux/sched/coredump.h>
#include <linux/shrinker.h>
#include <linux/uaccess.h>
#include <linux/version.h>

/* Renamed between 6.12 and 7.2; sparse doesn't know __has_include. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
#include <linux/folio_batch.h>
#else
#include <linux/pagevec.h>
#endif

/* Moved to linux/unaligned.h in 6.12. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

int umig_compat_check_kernel(void);

/*
 * get_user_pages_remote() lost its vmas argument in 6.5.
 *
 * References to the pages mapped from @addr of @mm on, up to the first that
 * isn't: 0 or -errno if that is the first one.  FOLL_NOFAULT: nothing is faulted
 * in; without FOLL_PIN and FOLL_WRITE a KSM page stays merged.  @flags:
 * FOLL_FORCE: even where the process itself may not read.  The caller holds
 * mmap_lock for reading.
 */
static inline long umig_get_mapped_pages(struct mm_struct *mm,
					 unsigned long addr, unsigned long nr,
					 unsigned int flags,
					 struct page **pages)
{
	flags |= FOLL_NOFAULT;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
	return get_user_pages_remote(mm, addr, nr, flags, pages, NULL);
#else
	return get_user_pages_remote(mm, addr, nr, flags, pages, NULL, NULL);
#endif
}

/*
 * pin_user_pages_remote() lost its vmas argument in 6.5.
 *
 * A page of the process's own instead of the merged one at @addr of @mm: whoever
 * pins a page that isn't the process's alone has it copied before, whether it may
 * be written or not.  The caller holds mmap_lock for reading.  0 or -errno.
 */
static inline int umig_unshare_mapped_page(struct mm_struct *mm,
					   unsigned long addr)
{
	struct page *page;
	long nr;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
	nr = pin_user_pages_remote(mm, addr, 1, FOLL_FORCE, &page, NULL);
#else
	nr = pin_user_pages_remote(mm, addr, 1, FOLL_FORCE, &page, NULL, NULL);
#endif
	if (nr != 1)
		return nr < 0 ? nr : -EFAULT;
	unpin_user_page(page);
	return 0;
}

/*
 * folio_mapcount() is an exported or inline function only since 6.6; for an
 * order-0 folio, the only kind that KSM has, page_mapcount() is the same.
 */
static inline unsigned int umig_folio_mapcount(struct folio *folio)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
	return folio_mapcount(folio);
#else
	return page_mapcount(folio_page(folio, 0));
#endif
}

/*
 * Let go of the pages that this CPU keeps on their way to the LRU.  There is no
 * function for modules that does just that: giving back a batch of pages does it
 * on the way, an empty one too.  pagevecs became folio batches in 6.4.
 */
static inline void umig_lru_drain_cpu(void)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	struct folio_batch batch;

	folio_batch_init(&batch);
	__folio_batch_release(&batch);
#else
	struct pagevec batch;

	pagevec_init(&batch);
	__pagevec_release(&batch);
#endif
}

/*
 * Whether @mm looks like memory that KSM has been told to scan; it need not
 * point to anything.  The flags became a bitmap in 6.18.
 */
static inline bool umig_mm_mergeable(const struct mm_struct *mm)
{
	unsigned long flags;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
	if (copy_from_kernel_nofault(&flags, &mm->flags.__mm_flags,
				     sizeof(flags)))
		return false;
#else
	if (copy_from_kernel_nofault(&flags, &mm->flags, sizeof(flags)))
		return false;
#endif
	return flags & BIT(MMF_VM_MERGEABLE);
}

/* Shrinkers are allocated by shrinker_alloc() since 6.7. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
static inline struct shrinker *umig_shrinker_register(
	unsigned long (*count)(struct shrinker *, struct shrink_control *),
	unsigned long (*scan)(struct shrinker *, struct shrink_control *),
	int seeks)
{
	struct shrinker *shrinker = shrinker_alloc(0, "umig");

	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->seeks = seeks;
	shrinker_register(shrinker);
	return shrinker;
}

static inline void umig_shrinker_unregister(struct shrinker *shrinker)
{
	shrinker_free(shrinker);
}
#else
struct shrinker *umig_shrinker_register(
	unsigned long (*count)(struct shrinker *, struct shrink_control *),
	unsigned long (*scan)(struct shrinker *, struct shrink_control *),
	int seeks);
void umig_shrinker_unregister(struct shrinker *shrinker);
#endif

#endif
