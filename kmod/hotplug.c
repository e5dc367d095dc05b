// SPDX-License-Identifier: GPL-2.0
/*
 * Memory hotplug.  A page frame number from the index or from a scan may name
 * memory that is being taken offline, whose struct page is about to vanish,
 * and a lease's reference would keep that memory from going.  The notifier
 * handles both: it first waits for everyone who looks at struct pages and
 * turns newcomers away from the range, then has the leases in the range turned
 * into private copies, and what has been shared, but KSM doesn't know, too.
 *
 * One range is enough: mem_hotplug_lock is held for writing from
 * MEM_GOING_OFFLINE to MEM_OFFLINE or MEM_CANCEL_OFFLINE, so that ranges go
 * one after the other.
 */
#include "hotplug.h"

#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/rwsem.h>

#include "lease.h"
#include "unshare.h"

static DECLARE_RWSEM(hot);

/* Under hot: the range that goes offline, empty if none does. */
static unsigned long going_start;
static unsigned long going_end;

/**
 * umig_pages_lock() - No struct page vanishes until umig_pages_unlock().
 *
 * Needed only to find a page by its number; a page to which a reference is
 * held can't go away.
 */
void umig_pages_lock(void)
{
	down_read(&hot);
}

void umig_pages_unlock(void)
{
	up_read(&hot);
}

/**
 * umig_pfn_to_page() - The page of a frame number, if it may be looked at.
 * @pfn: any number.
 *
 * Return: the page, under umig_pages_lock() only, or NULL.
 */
struct page *umig_pfn_to_page(unsigned long pfn)
{
	lockdep_assert_held(&hot);
	if (pfn >= going_start && pfn < going_end)
		return NULL;
	return pfn_to_online_page(pfn);
}

static void set_going(unsigned long start, unsigned long end)
{
	down_write(&hot);
	going_start = start;
	going_end = end;
	up_write(&hot);
}

/*
 * After set_going() no new reference to a page of the range is taken by number.
 * A lease that was being taken before has been linked by then, because it is
 * linked under the read lock: converting the linked ones converts all.  By
 * MEM_OFFLINE the sections are marked offline, so pfn_to_online_page() keeps
 * everybody away from then on.
 */
static int memory_changes(struct notifier_block *nb, unsigned long action,
			  void *arg)
{
	struct memory_notify *range = arg;
	unsigned long end = range->start_pfn + range->nr_pages;

	switch (action) {
	case MEM_GOING_OFFLINE:
		set_going(range->start_pfn, end);
		umig_lease_convert_range(range->start_pfn, end);
		umig_unshare_range_begin(range->start_pfn, end);
		break;
	case MEM_CANCEL_OFFLINE:
	case MEM_OFFLINE:
		set_going(0, 0);
		umig_unshare_range_end();
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block memory_nb = {
	.notifier_call = memory_changes,
};

int umig_hotplug_init(void)
{
	return register_memory_notifier(&memory_nb);
}

void umig_hotplug_exit(void)
{
	unregister_memory_notifier(&memory_nb);
}
