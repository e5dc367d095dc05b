// SPDX-License-Identifier: GPL-2.0
/*
 * Dirty tracking, the part that the ring and the bitmap share: see dirty.h.
 */
#include "mem/dirty.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bitmap.h"
#include "lib/kvm.h"

int dirty_init(struct dirty *d, const struct dirty_ops *ops, int vm_fd,
	       const struct memslots *slots, uint32_t entries, struct err *err)
{
	int ret;

	*d = (struct dirty){
		.ops = ops,
		.vm_fd = vm_fd,
		.slots = slots,
		.entries = entries,
		.pending = bitmap_alloc(slots->pages),
		.spare = bitmap_alloc(slots->pages),
		.marked = calloc(BITMAP_WORDS(slots->pages),
				 sizeof(*d->marked)),
	};
	pthread_mutex_init(&d->lock, NULL);
	if (!d->pending || !d->spare || !d->marked)
		ret = err_set(err, -ENOMEM, "out of memory for dirty bitmaps");
	else
		ret = ops->init(d, err);
	if (ret)
		dirty_exit(d);
	return ret;
}

int dirty_attach(struct dirty *d, int vcpu_fd, struct err *err)
{
	int ret;

	if (d->nr_vcpus == DIRTY_VCPUS_MAX)
		return err_set(err, -ENOSPC, "more than %d vCPUs",
			       DIRTY_VCPUS_MAX);
	d->vcpu_fd[d->nr_vcpus] = vcpu_fd;
	ret = d->ops->attach(d, d->nr_vcpus, err);
	if (!ret)
		d->nr_vcpus++;
	return ret;
}

void dirty_exit(struct dirty *d)
{
	if (!d->ops)
		return;
	d->ops->exit(d);
	free(d->pending);
	free(d->spare);
	free((void *)d->marked);
	pthread_mutex_destroy(&d->lock);
	d->ops = NULL;
}

static int set_logging(struct dirty *d, bool on)
{
	unsigned int i;
	int ret;

	for (i = 0; i < d->slots->nr; i++) {
		const struct memslot *s = &d->slots->slot[i];
		struct kvm_userspace_memory_region region = {
			.slot = i,
			.flags = on ? KVM_MEM_LOG_DIRTY_PAGES : 0,
			.guest_phys_addr = s->gfn << UMIG_PAGE_SHIFT,
			.memory_size = s->pages << UMIG_PAGE_SHIFT,
			.userspace_addr = (uintptr_t)s->hva,
		};

		ret = kvm_ioctl(d->vm_fd, KVM_SET_USER_MEMORY_REGION, &region);
		if (ret)
			return ret;
	}
	return 0;
}

static void forget(struct dirty *d)
{
	uint64_t i, words = BITMAP_WORDS(d->slots->pages);

	memset(d->pending, 0, words * sizeof(*d->pending));
	for (i = 0; i < words; i++)
		atomic_store_explicit(&d->marked[i], 0, memory_order_relaxed);
	d->overflow = false;
}

int dirty_start(struct dirty *d, struct err *err)
{
	int ret;

	pthread_mutex_lock(&d->lock);
	forget(d);
	ret = d->ops->reset(d);
	atomic_store(&d->tracking, true);
	if (!ret)
		ret = set_logging(d, true);
	pthread_mutex_unlock(&d->lock);
	if (ret) {
		dirty_stop(d);
		err_set(err, ret, "KVM can't log written pages by %s: %s",
			d->ops->name, strerror(-ret));
	}
	return ret;
}

void dirty_stop(struct dirty *d)
{
	pthread_mutex_lock(&d->lock);
	if (atomic_exchange(&d->tracking, false)) {
		set_logging(d, false);
		d->ops->reset(d);
		forget(d);
	}
	pthread_mutex_unlock(&d->lock);
}

uint64_t dirty_pend(struct dirty *d, uint32_t slot, uint64_t offset,
		    uint64_t pages)
{
	const struct memslot *s = &d->slots->slot[slot];

	return bitmap_set_run(d->pending, s->index + offset, pages);
}

void dirty_mark(struct dirty *d, uint64_t gfn, uint64_t pages)
{
	uint64_t index;

	if (!atomic_load(&d->tracking))
		return;
	for (; pages; gfn++, pages--) {
		if (!memslots_find(d->slots, gfn))
			continue;
		index = memslots_index(d->slots, gfn);
		atomic_fetch_or(&d->marked[index / 64], 1ULL << (index % 64));
		atomic_fetch_add(&d->nr_marked, 1);
	}
}

int dirty_full(struct dirty *d, unsigned int vcpu)
{
	int ret;

	pthread_mutex_lock(&d->lock);
	d->count.ring_full++;
	d->ring[vcpu].full++;
	ret = d->ops->full(d, vcpu);
	if (ret == -EOVERFLOW) {
		d->overflow = true;
		ret = 0;
	}
	pthread_mutex_unlock(&d->lock);
	return ret;
}

int dirty_collect(struct dirty *d)
{
	int ret;

	pthread_mutex_lock(&d->lock);
	ret = d->ops->collect(d);
	if (ret == -EOVERFLOW) {
		d->overflow = true;
		ret = 0;
	}
	pthread_mutex_unlock(&d->lock);
	return ret;
}

static void merge_marked(struct dirty *d)
{
	uint64_t i, words = BITMAP_WORDS(d->slots->pages);

	for (i = 0; i < words; i++)
		if (atomic_load_explicit(&d->marked[i], memory_order_relaxed))
			d->pending[i] |= atomic_exchange(&d->marked[i], 0);
}

/* Report and clear what is in @map, without the lock: it is ours alone. */
static uint64_t report(struct dirty *d, uint64_t *map, dirty_run_fn *fn,
		       void *arg)
{
	const struct memslot *s;
	uint64_t from, to, end, pages = 0;

	for (s = d->slots->slot; s < d->slots->slot + d->slots->nr; s++) {
		end = s->index + s->pages;
		from = bitmap_next(map, end, s->index);
		while (from < end) {
			to = bitmap_next_clear(map, end, from);
			fn(arg, s->gfn + (from - s->index), to - from);
			pages += to - from;
			from = bitmap_next(map, end, to);
		}
	}
	memset(map, 0, BITMAP_WORDS(d->slots->pages) * sizeof(*map));
	return pages;
}

/*
 * Pages that the log has lost are writable without being logged: write-protect
 * all again.  A log that has lost pages isn't believed again, either: where it
 * is empty may just be where KVM isn't.
 */
static int rearm(struct dirty *d)
{
	int ret;

	forget(d);
	d->overflow = true;
	ret = set_logging(d, false);
	if (!ret)
		ret = set_logging(d, true);
	return ret ? ret : -EOVERFLOW;
}

int dirty_harvest(struct dirty *d, dirty_run_fn *fn, void *arg)
{
	uint64_t *map, pages;
	int ret;

	pthread_mutex_lock(&d->lock);
	d->count.harvests++;
	ret = d->ops->collect(d);
	if (ret == -EOVERFLOW || (!ret && d->overflow))
		ret = rearm(d);
	if (ret) {
		pthread_mutex_unlock(&d->lock);
		return ret;
	}
	merge_marked(d);
	map = d->pending;
	d->pending = d->spare;
	/* Only one thread harvests: until it is given back nobody looks. */
	d->spare = NULL;
	pthread_mutex_unlock(&d->lock);

	pages = report(d, map, fn, arg);

	pthread_mutex_lock(&d->lock);
	d->spare = map;
	d->count.harvested_pages += pages;
	pthread_mutex_unlock(&d->lock);
	return 0;
}

void dirty_vcpu(struct dirty *d, unsigned int vcpu, struct dirty_vcpu *out)
{
	pthread_mutex_lock(&d->lock);
	*out = (struct dirty_vcpu){
		.pages = d->ring[vcpu].fresh,
		.ring_full = d->ring[vcpu].full,
	};
	pthread_mutex_unlock(&d->lock);
}

void dirty_counters(struct dirty *d, struct dirty_counters *out)
{
	pthread_mutex_lock(&d->lock);
	*out = d->count;
	pthread_mutex_unlock(&d->lock);
	out->device_marked = atomic_load(&d->nr_marked);
}
