// SPDX-License-Identifier: GPL-2.0
/*
 * Dirty tracking by KVM's dirty rings: one for each vCPU, shared with KVM.
 *
 * DOC: Theory of operation
 *
 *          ┌ reset (KVM)  ┌ fetch (here)     ┌ dirty (KVM)
 *   ───────┴──────────────┴──────────────────┴─────────▶
 *   free   │ flags RESET  │ flags DIRTY      │ free
 *
 * KVM pushes entries at "dirty".  We read them at "fetch" and set RESET;
 * KVM_RESET_DIRTY_RINGS write-protects those pages again and frees the
 * entries.  Flags are read with acquire and written with release order, so
 * that the entry's content belongs to them.
 *
 * KVM leaves KVM_RUN (KVM_EXIT_DIRTY_RING_FULL) with 64 entries to spare.  A
 * KVM that emulates instructions in batches can push more than that before it
 * looks: entries are then overwritten, KVM counts more entries than there are
 * flags set, and "dirty" is an unknown distance ahead of "fetch".  That shows
 * as a ring in which every entry is dirty, or as a full ring with nothing to
 * read: it has lost its "dirty".  A ring that overflows while it is being
 * emptied shows neither: KVM overwrites an entry that was read and not reset
 * yet, and then resets none behind it: their pages stay writable without being
 * logged.  So a reset must have come as far as "fetch", too; a ring where it
 * hasn't is adrift: not even "reset" is known.  Both are reported as -EOVERFLOW.
 *
 * How it is found again matters: KVM frees whatever has the flag RESET where it
 * stands, used or not.  One entry more than it counts, and it takes the ring for
 * full for ever: that vCPU never runs again.  So:
 *
 * - "dirty" lost: what lies between "fetch", which is "reset" then, and the first
 *   dirty entry are ghosts that KVM counts: they are given back;
 * - adrift, or nothing dirty and the vCPU stuck: nothing is given back until the
 *   vCPU says that its ring is full.  Then KVM counts more than a quarter of it,
 *   and the vCPU adds none: so in one quarter after the other all entries are
 *   given back, until KVM has freed the last one of a quarter: there it stands.
 */
#include "mem/dirty.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/kvm.h"

#define RESET_TRIES 3

static size_t ring_bytes(const struct dirty *d)
{
	return (size_t)d->entries * sizeof(struct kvm_dirty_gfn);
}

static int ring_init(struct dirty *d, struct err *err)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_DIRTY_LOG_RING_ACQ_REL };
	int max = kvm_has(d->vm_fd, cap.cap);
	int ret;

	if (!max) {
		cap.cap = KVM_CAP_DIRTY_LOG_RING;
		max = kvm_has(d->vm_fd, cap.cap);
	}
	if (!max)
		return err_set(err, -EOPNOTSUPP,
			       "this host's KVM has no dirty ring: use the bitmap");
	if (ring_bytes(d) > (size_t)max)
		return err_set(err, -EINVAL,
			       "a dirty ring of %u entries is larger than this host's KVM allows (%zu)",
			       d->entries, max / sizeof(struct kvm_dirty_gfn));
	cap.args[0] = ring_bytes(d);
	ret = kvm_ioctl(d->vm_fd, KVM_ENABLE_CAP, &cap);
	if (ret)
		return err_set(err, ret,
			       "KVM refuses a dirty ring of %u entries: %s",
			       d->entries, strerror(-ret));
	return 0;
}

static int ring_attach(struct dirty *d, unsigned int vcpu, struct err *err)
{
	void *at = mmap(NULL, ring_bytes(d), PROT_READ | PROT_WRITE,
			MAP_SHARED, d->vcpu_fd[vcpu],
			KVM_DIRTY_LOG_PAGE_OFFSET * UMIG_PAGE_SIZE);

	if (at == MAP_FAILED)
		return err_set(err, -errno, "vCPU %u's dirty ring: mmap: %s",
			       vcpu, strerror(errno));
	d->ring[vcpu] = (struct dirty_ring){ .gfn = at };
	return 0;
}

static struct kvm_dirty_gfn *entry(struct dirty *d, struct dirty_ring *r,
				   uint32_t position)
{
	return &r->gfn[position & (d->entries - 1)];
}

static bool is_dirty(const struct kvm_dirty_gfn *e)
{
	return __atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) &
	       KVM_DIRTY_GFN_F_DIRTY;
}

static void give_back(struct kvm_dirty_gfn *e)
{
	__atomic_store_n(&e->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
}

static void clear_flags(struct dirty *d, struct dirty_ring *r)
{
	uint32_t i;

	for (i = 0; i < d->entries; i++)
		__atomic_store_n(&r->gfn[i].flags, 0, __ATOMIC_RELEASE);
}

/* Entries up to the first dirty one are ghosts, if there is a dirty one. */
static void find_position(struct dirty *d, struct dirty_ring *r)
{
	uint32_t ghosts = 0;

	while (ghosts < d->entries && !is_dirty(entry(d, r, r->fetch + ghosts)))
		ghosts++;
	if (ghosts == d->entries)
		return;
	for (; ghosts; ghosts--)
		give_back(entry(d, r, r->fetch++));
	r->lost = false;
}

/* Take one ring's entries; how many. */
static uint32_t ring_take(struct dirty *d, struct dirty_ring *r)
{
	struct kvm_dirty_gfn *e;
	uint32_t n;

	if (r->adrift)
		return 0;
	if (r->lost)
		find_position(d, r);
	for (n = 0; n < d->entries; n++) {
		e = entry(d, r, r->fetch);
		if (!is_dirty(e))
			break;
		if (e->slot < d->slots->nr &&
		    e->offset < d->slots->slot[e->slot].pages)
			r->fresh += dirty_pend(d, e->slot, e->offset, 1);
		give_back(e);
		r->fetch++;
	}
	if (n == d->entries) {
		r->lost = true;
		d->count.ring_overflows++;
	}
	r->taken += n;
	d->count.ring_harvested += n;
	return n;
}

static int reset_rings(struct dirty *d)
{
	int ret = kvm_ioctl_value(d->vm_fd, KVM_RESET_DIRTY_RINGS, 0);

	d->count.ring_resets++;
	return ret < 0 ? ret : 0;
}

/* KVM resets entries in their order: has it reset the last one given back? */
static bool is_reset(struct dirty *d, struct dirty_ring *r)
{
	return !(__atomic_load_n(&entry(d, r, r->fetch - 1)->flags,
				 __ATOMIC_ACQUIRE) & KVM_DIRTY_GFN_F_RESET);
}

/* Reset all; a signal may have KVM return before it is through. */
static int reset_all(struct dirty *d)
{
	unsigned int i, tries;
	int ret = 0;

	for (tries = 0; tries < RESET_TRIES && !ret; tries++) {
		ret = reset_rings(d);
		for (i = 0; i < d->nr_vcpus; i++)
			if (!d->ring[i].adrift && !is_reset(d, &d->ring[i]))
				break;
		if (i == d->nr_vcpus)
			break;
	}
	return ret;
}

/* A ring that is adrift has lost pages, now or before. */
static int find_adrift(struct dirty *d)
{
	struct dirty_ring *r;
	int ret = 0;

	for (r = d->ring; r < d->ring + d->nr_vcpus; r++) {
		if (!r->adrift && !is_reset(d, r)) {
			r->adrift = true;
			d->count.ring_overflows++;
		}
		if (r->adrift)
			ret = -EOVERFLOW;
	}
	return ret;
}

static int ring_collect(struct dirty *d)
{
	uint64_t overflows = d->count.ring_overflows;
	unsigned int i;
	int ret;

	for (i = 0; i < d->nr_vcpus; i++)
		ring_take(d, &d->ring[i]);
	ret = reset_all(d);
	if (!ret)
		ret = find_adrift(d);
	if (!ret && d->count.ring_overflows != overflows)
		ret = -EOVERFLOW;
	return ret;
}

static int ring_reset(struct dirty *d)
{
	int ret = ring_collect(d);

	return ret == -EOVERFLOW ? 0 : ret;
}

/*
 * Where KVM stands in a full ring whose vCPU stands still; what is in it is
 * lost.  If a signal keeps KVM from it, the next such exit tries again.
 */
static void find_kvm(struct dirty *d, struct dirty_ring *r)
{
	uint32_t quarter = d->entries / 4, at, i;
	bool found = false;

	for (at = 0; at < d->entries && !found; at += quarter) {
		clear_flags(d, r);
		for (i = at; i < at + quarter; i++)
			give_back(entry(d, r, i));
		r->fetch = at + quarter;
		reset_rings(d);
		found = is_reset(d, r);
	}
	clear_flags(d, r);
	r->lost = true;
	r->adrift = !found;
}

/*
 * A full ring has entries, for us now or for a collect that was faster: if
 * none has been taken since this vCPU's last such exit, those that KVM counts
 * are ghosts, or we have lost it.
 */
static int ring_full(struct dirty *d, unsigned int vcpu)
{
	struct dirty_ring *r = &d->ring[vcpu];
	int ret = ring_collect(d);
	uint64_t taken = r->taken;

	r->taken = 0;
	if (taken || (ret && ret != -EOVERFLOW))
		return ret;
	if (!r->lost && !r->adrift) {
		d->count.ring_overflows++;
		ret = -EOVERFLOW;
	}
	find_kvm(d, r);
	return ret;
}

static void ring_exit(struct dirty *d)
{
	unsigned int i;

	for (i = 0; i < d->nr_vcpus; i++)
		munmap(d->ring[i].gfn, ring_bytes(d));
}

const struct dirty_ops dirty_ring_ops = {
	.name = "ring",
	.init = ring_init,
	.attach = ring_attach,
	.reset = ring_reset,
	.collect = ring_collect,
	.full = ring_full,
	.exit = ring_exit,
};
