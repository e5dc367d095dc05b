/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which guest pages were written: by vCPUs, as KVM logs it, and by device
 * back-ends, which tell it themselves.
 *
 *   vCPU writes ─▶ KVM's ring or bitmap ─collect─▶ pending ┐
 *                                                          ├─harvest─▶ runs
 *   device writes ─dirty_mark──────────────────▶ marked ───┘
 *
 * KVM's side is one of two &struct dirty_ops: the dirty ring (dirty_ring.c) or
 * the dirty bitmap (dirty_log.c); which one is fixed before the first vCPU
 * exists.  A page is moved to "pending" only by a collect that has also
 * re-armed it, so that what a harvest reports is caught again when it is
 * written again.
 */
#ifndef UMIG_MEM_DIRTY_H
#define UMIG_MEM_DIRTY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "mem/memslots.h"

#define DIRTY_VCPUS_MAX 64
#define DIRTY_RING_ENTRIES_DEFAULT 4096
#define DIRTY_RING_ENTRIES_MIN 1024
#define DIRTY_RING_ENTRIES_MAX 65536

struct dirty;
struct kvm_dirty_gfn;

typedef void dirty_run_fn(void *arg, uint64_t gfn, uint64_t pages);

/**
 * struct dirty_ops - One way that KVM logs writes.  All but attach are called
 *	under &dirty.lock.
 * @name: "ring" or "bitmap".
 * @init: before any vCPU exists.
 * @attach: a vCPU was created.
 * @reset: KVM logs from now on, @dirty.pending is empty: forget what is old.
 * @collect: move what KVM has logged to @dirty.pending and re-arm it.
 *	-EOVERFLOW: the log lost pages.
 * @full: vCPU @vcpu can't go on for a full log.
 * @exit: undo @init and @attach.
 */
struct dirty_ops {
	const char *name;
	int (*init)(struct dirty *d, struct err *err);
	int (*attach)(struct dirty *d, unsigned int vcpu, struct err *err);
	int (*reset)(struct dirty *d);
	int (*collect)(struct dirty *d);
	int (*full)(struct dirty *d, unsigned int vcpu);
	void (*exit)(struct dirty *d);
};

extern const struct dirty_ops dirty_ring_ops;
extern const struct dirty_ops dirty_log_ops;

/**
 * struct dirty_ring - One vCPU's ring.
 * @gfn: @entries entries, shared with KVM; NULL: no such vCPU.
 * @fetch: the next entry to look at, free running.
 * @taken: entries taken since its vCPU last left KVM_RUN for a full ring.
 * @fresh: pages ever that were not pending already.
 * @full: times that its vCPU left KVM_RUN for a full ring.
 * @lost: entries were overwritten: KVM's position may be ahead of @fetch,
 * @adrift: or anywhere: nothing is taken until it is found again.
 */
struct dirty_ring {
	struct kvm_dirty_gfn *gfn;
	uint32_t fetch;
	uint64_t taken;
	uint64_t fresh;
	uint64_t full;
	bool lost;
	bool adrift;
};

/** struct dirty_counters - Since dirty_init(). */
struct dirty_counters {
	uint64_t ring_full;
	uint64_t ring_harvested;
	uint64_t ring_resets;
	uint64_t ring_overflows;
	uint64_t log_gets;
	uint64_t device_marked;
	uint64_t harvests;
	uint64_t harvested_pages;
};

/**
 * struct dirty - The log of one VM.
 *
 * Immutable after dirty_init():
 * @ops, @vm_fd: as given.
 * @slots: RAM; slot i has KVM's slot number i.
 * @entries: of each ring.
 *
 * Written before vCPUs run:
 * @vcpu_fd, @ring, @nr_vcpus: by dirty_attach().
 *
 * Any thread:
 * @tracking: dirty_mark() has to note what it is told.
 * @marked: a bit for each page that a device has written.
 * @nr_marked: a counter.
 *
 * Under @lock:
 * @pending: collected, not yet harvested; by dense page index.
 * @spare: all clear; the harvester swaps it for @pending.
 * @log_buf: bitmap: room for one slot's log.
 * @overflow: pages were lost: harvests say so until dirty_stop().
 */
struct dirty {
	const struct dirty_ops *ops;
	int vm_fd;
	const struct memslots *slots;
	uint32_t entries;

	unsigned int nr_vcpus;
	int vcpu_fd[DIRTY_VCPUS_MAX];
	struct dirty_ring ring[DIRTY_VCPUS_MAX];

	atomic_bool tracking;
	_Atomic uint64_t *marked;
	atomic_ullong nr_marked;

	pthread_mutex_t lock;
	uint64_t *pending;
	uint64_t *spare;
	uint64_t *log_buf;
	bool overflow;
	struct dirty_counters count;
};

/**
 * dirty_init() - Set up logging of @slots by @ops; nothing is logged yet.
 * @slots: registered with KVM already, slot i as number i, without logging.
 * @entries: ring size; ignored by the bitmap.
 */
int dirty_init(struct dirty *d, const struct dirty_ops *ops, int vm_fd,
	       const struct memslots *slots, uint32_t entries,
	       struct err *err);

/** dirty_attach() - Tell of a new vCPU, in the order of their numbers. */
int dirty_attach(struct dirty *d, int vcpu_fd, struct err *err);

/** dirty_exit() - Free it; the VM's vCPUs don't run any more. */
void dirty_exit(struct dirty *d);

/** dirty_start() - Log every write from now on.  Nothing is dirty at first. */
int dirty_start(struct dirty *d, struct err *err);

/** dirty_stop() - End logging and forget what was logged.  Idempotent. */
void dirty_stop(struct dirty *d);

/**
 * dirty_harvest() - Report each page written since the last harvest, once.
 *
 * Return: 0; -EOVERFLOW: pages were lost, nothing is reported, nor will be until
 * dirty_start(); else -errno.
 */
int dirty_harvest(struct dirty *d, dirty_run_fn *fn, void *arg);

/**
 * dirty_mark() - A device back-end has written [gfn, gfn + pages).
 *
 * After the write, never before: a harvest between the mark and the write
 * would lose it.  Pages that aren't RAM are passed over.  Any thread.
 */
void dirty_mark(struct dirty *d, uint64_t gfn, uint64_t pages);

/**
 * dirty_full() - KVM_EXIT_DIRTY_RING_FULL on @vcpu, from its thread: make room.
 */
int dirty_full(struct dirty *d, unsigned int vcpu);

/**
 * dirty_collect() - Empty the log into @pending ahead of a harvest, so that it
 * is known what each vCPU has dirtied.  Any thread.
 */
int dirty_collect(struct dirty *d);

/**
 * struct dirty_vcpu - What one vCPU's ring has seen since dirty_init().
 * @pages: that it was the first to dirty since the last harvest: a KVM that
 *	emulates guests logs each write, not each page.  0 with the bitmap,
 *	which doesn't know whose they are.
 * @ring_full: exits for a full ring.
 */
struct dirty_vcpu {
	uint64_t pages;
	uint64_t ring_full;
};

/** dirty_vcpu() - Any thread. */
void dirty_vcpu(struct dirty *d, unsigned int vcpu, struct dirty_vcpu *out);

/** dirty_counters() - Any thread. */
void dirty_counters(struct dirty *d, struct dirty_counters *out);

/**
 * dirty_pend() - For &dirty_ops: @pages pages of slot @slot are dirty; how many
 * were not pending yet.
 */
uint64_t dirty_pend(struct dirty *d, uint32_t slot, uint64_t offset,
		    uint64_t pages);

#endif
