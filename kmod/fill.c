// SPDX-License-Identifier: GPL-2.0
/*
 * FILL: leased content into the caller's memory, by copying.
 *
 * The copy goes through a page of the module's own.  Broken memory is met on
 * the way in, where it is an error of that item; the caller's memory is met on
 * the way out, when no reference to the leased page is held any more: the
 * caller's page may be under its own userfaultfd and make this task wait as
 * long as it likes.
 */
#include "fill.h"

#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <linux/umig.h>

#include "chardev.h"
#include "lease.h"
#include "stats.h"
#include "trace.h"

static int read_lease(struct umig_leases *leases, u32 id, void *bounce)
{
	struct page *page = umig_lease_get_page(leases, id);
	unsigned long left;
	void *from;

	if (!page)
		return -ENOENT;
	from = kmap_local_page(page);
	left = PageHWPoison(page) ? PAGE_SIZE :
				    copy_mc_to_kernel(bounce, from, PAGE_SIZE);
	kunmap_local(from);
	put_page(page);
	return left ? -EHWPOISON : 0;
}

/**
 * umig_fill_one() - Copy one leased page to the caller.
 * @leases: the file's.
 * @item: which and where to; its result is left alone.
 * @bounce: a page, to copy through.
 *
 * Return: what &struct umig_fill_item says.
 */
int umig_fill_one(struct umig_leases *leases,
		  const struct umig_fill_item *item, void *bounce)
{
	int err;

	if (!IS_ALIGNED(item->addr, PAGE_SIZE))
		return -EINVAL;
	err = read_lease(leases, item->lease, bounce);
	if (err)
		return err;
	if (copy_to_user(u64_to_user_ptr(item->addr), bounce, PAGE_SIZE))
		return -EFAULT;
	return 0;
}

static int fill_all(struct umig_ucmd *ucmd, struct umig_fill_item *items,
		    void *bounce)
{
	struct umig_fill *cmd = ucmd->cmd;
	u32 i;

	cmd->nr_filled = 0;
	for (i = 0; i < cmd->nr; i++) {
		items[i].result = umig_fill_one(&ucmd->file->leases, &items[i],
						bounce);
		cmd->nr_filled += !items[i].result;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	umig_count_add(UMIG_FILLED, cmd->nr_filled);
	umig_count_add(UMIG_FILL_FAILED, cmd->nr - cmd->nr_filled);
	trace_umig_fill(cmd->nr, cmd->nr_filled);
	return 0;
}

static int fill_run(struct umig_ucmd *ucmd, struct umig_fill_item *items,
		    void *bounce)
{
	struct umig_fill *cmd = ucmd->cmd;
	size_t bytes = cmd->nr * sizeof(*items);
	int err;

	if (copy_from_user(items, u64_to_user_ptr(cmd->items), bytes))
		return -EFAULT;
	err = fill_all(ucmd, items, bounce);
	if (err)
		return err;
	if (copy_to_user(u64_to_user_ptr(cmd->items), items, bytes))
		return -EFAULT;
	return umig_ucmd_respond(ucmd);
}

/** umig_ioctl_fill() - Copy leased pages to the caller. */
int umig_ioctl_fill(struct umig_ucmd *ucmd)
{
	struct umig_fill *cmd = ucmd->cmd;
	struct umig_fill_item *items;
	int err = -ENOMEM;
	void *bounce;

	if (cmd->flags || !cmd->nr || cmd->nr > UMIG_MAX_BATCH)
		return -EINVAL;
	items = kvmalloc_array(cmd->nr, sizeof(*items), GFP_KERNEL);
	bounce = (void *)__get_free_page(GFP_KERNEL);
	if (items && bounce)
		err = fill_run(ucmd, items, bounce);
	free_page((unsigned long)bounce);
	kvfree(items);
	return err;
}
