/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory as a list of memslots, and the dense page numbering on top of
 * it that bitmaps and per-page arrays use.  Filled once by the VMM (or by a
 * checkpoint file's reader), immutable afterwards, read by any thread.
 */
#ifndef UMIG_MEM_MEMSLOTS_H
#define UMIG_MEM_MEMSLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UMIG_PAGE_SHIFT 12
#define UMIG_PAGE_SIZE (1UL << UMIG_PAGE_SHIFT)
#define MEMSLOTS_MAX 16

/**
 * struct memslot - A run of guest memory that is contiguous in both views.
 * @gfn: its first guest frame number.
 * @pages: its length, > 0.
 * @hva: where it is mapped in this process, page aligned.
 * @index: dense index of its first page: the sum of @pages of the slots
 *	before it.  Set by memslots_add().
 */
struct memslot {
	uint64_t gfn;
	uint64_t pages;
	uint8_t *hva;
	uint64_t index;
};

/**
 * struct memslots - All RAM of a VM, ascending by gfn, without overlap.
 * @nr: slots in use.
 * @pages: RAM of the VM in pages: dense indices are 0 .. @pages - 1.
 * @slot: the slots.
 * @anonymous: all of it is private anonymous memory: what isn't there is zero.
 */
struct memslots {
	unsigned int nr;
	uint64_t pages;
	struct memslot slot[MEMSLOTS_MAX];
	bool anonymous;
};

/**
 * memslots_add() - Append a slot.
 *
 * Return: 0; -EINVAL if empty, not ascending, overlapping, beyond 2^40 pages
 * or not page aligned; -ENOSPC if there are MEMSLOTS_MAX already.
 */
int memslots_add(struct memslots *ms, uint64_t gfn, uint64_t pages,
		 void *hva);

/** memslots_find() - The slot that holds @gfn, or NULL. */
const struct memslot *memslots_find(const struct memslots *ms, uint64_t gfn);

/**
 * memslots_has_run() - Whether all of [gfn, gfn + pages) is RAM of one slot.
 *
 * Safe for any input, wrapping sums included: this is the bound check for
 * runs that come from a peer.
 */
bool memslots_has_run(const struct memslots *ms, uint64_t gfn,
		      uint64_t pages);

/** memslots_index() - Dense index of @gfn, which must be RAM. */
uint64_t memslots_index(const struct memslots *ms, uint64_t gfn);

/** memslots_gfn() - The gfn of dense index @index, < @ms->pages. */
uint64_t memslots_gfn(const struct memslots *ms, uint64_t index);

/** memslots_hva() - Where @gfn is mapped, or NULL if it isn't RAM. */
void *memslots_hva(const struct memslots *ms, uint64_t gfn);

#endif
