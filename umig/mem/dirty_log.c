// SPDX-License-Identifier: GPL-2.0
/*
 * Dirty tracking by KVM's bitmap: KVM_GET_DIRTY_LOG copies a slot's bitmap,
 * clears it and write-protects those pages again before it returns.  It costs
 * a pass over the bitmap and, on a large VM, a stall of the vCPUs that write
 * meanwhile; it never loses a page.
 */
#include "mem/dirty.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/bitmap.h"
#include "lib/kvm.h"

static int log_init(struct dirty *d, struct err *err)
{
	uint64_t pages = 0;
	unsigned int i;

	for (i = 0; i < d->slots->nr; i++)
		if (d->slots->slot[i].pages > pages)
			pages = d->slots->slot[i].pages;
	d->log_buf = bitmap_alloc(pages);
	if (!d->log_buf)
		return err_set(err, -ENOMEM, "out of memory for a dirty log");
	return 0;
}

static int log_attach(struct dirty *d, unsigned int vcpu, struct err *err)
{
	(void)d;
	(void)vcpu;
	(void)err;
	return 0;
}

/* KVM makes a fresh bitmap whenever logging is switched on. */
static int log_reset(struct dirty *d)
{
	(void)d;
	return 0;
}

static int collect_slot(struct dirty *d, uint32_t slot)
{
	uint64_t from, to, pages = d->slots->slot[slot].pages;
	struct kvm_dirty_log log = {
		.slot = slot,
		.dirty_bitmap = d->log_buf,
	};
	int ret = kvm_ioctl(d->vm_fd, KVM_GET_DIRTY_LOG, &log);

	if (ret)
		return ret;
	d->count.log_gets++;
	from = bitmap_next(d->log_buf, pages, 0);
	while (from < pages) {
		to = bitmap_next_clear(d->log_buf, pages, from);
		dirty_pend(d, slot, from, to - from);
		from = bitmap_next(d->log_buf, pages, to);
	}
	return 0;
}

static int log_collect(struct dirty *d)
{
	uint32_t slot;
	int ret = 0;

	for (slot = 0; slot < d->slots->nr && !ret; slot++)
		ret = collect_slot(d, slot);
	return ret;
}

/* A bitmap is never full: such an exit can't be. */
static int log_full(struct dirty *d, unsigned int vcpu)
{
	(void)d;
	(void)vcpu;
	return -EPROTO;
}

static void log_exit(struct dirty *d)
{
	free(d->log_buf);
	d->log_buf = NULL;
}

const struct dirty_ops dirty_log_ops = {
	.name = "bitmap",
	.init = log_init,
	.attach = log_attach,
	.reset = log_reset,
	.collect = log_collect,
	.full = log_full,
	.exit = log_exit,
};
