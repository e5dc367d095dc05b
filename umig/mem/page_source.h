/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the destination of a migration finds pages that it needn't be sent:
 * the kernel module's index, images of memory; later other VMs' pages, disk
 * images.
 */
#ifndef UMIG_MEM_PAGE_SOURCE_H
#define UMIG_MEM_PAGE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "mem/digest_source.h"

#define PLACE_BATCH 512
#define PAGE_SOURCES_MAX 16

/**
 * struct place_item - One page to place.
 * @lease: in: of which content,
 * @hva: where.
 * @fresh: in: nothing has been written there yet (mem/fresh.h): a hint.
 * @result: out.
 */
struct place_item {
	uint64_t lease;
	void *hva;
	bool fresh;
	int result;	/* 0, or -errno: the page must be sent plain */
};

/**
 * struct page_source - One holder of pages.
 * @name: for messages and the report.
 * @key_id: as in &struct digest_source.
 * @shares: pages may be shared: memory had better not be populated for them.
 * @offer: which of @nr digests are held.  @leases[i] is 0 (not held) or a
 *	promise that place() will find that content until it is released.
 *	@nr is at most 512.
 * @place: make the page at each item's hva have the leased content.  May
 *	refuse any item after all.  @nr is at most 512.
 * @release_all: give every lease back.
 * @close: frees it, and releases.
 * @shared: pages placed so far that are the holder's own and take no memory
 *	until they are written; on the thread that calls place() only.
 */
struct page_source {
	const char *name;
	uint8_t key_id[16];
	uint64_t shared;
	bool shares;
	int (*offer)(struct page_source *ps, const digest_t *digests,
		     unsigned int nr, uint64_t *leases);
	int (*place)(struct page_source *ps, struct place_item *items,
		     unsigned int nr);
	void (*release_all)(struct page_source *ps);
	void (*close)(struct page_source *ps);
};

/**
 * page_source_module_open() - As digest_source_module_open().
 * @group: the trust group whose pages may be used (mem/group.h); NULL: none.
 *
 * Return: also -EOPNOTSUPP: the module doesn't know groups; -EBUSY: this
 * process is of another one.
 */
int page_source_module_open(struct page_source **out, const char *group,
			    struct err *err);

/**
 * page_source_file_open() - An image and its index (mem/image_index.h).
 * @image: its path.
 *
 * Return: 0, or -errno with the remedy in @err.
 */
int page_source_file_open(struct page_source **out, const char *image,
			  struct err *err);

/**
 * page_source_many_open() - Several as one: each is offered what those before
 * it don't hold.
 * @list: @nr of them, owned by the new one if this succeeds.
 *
 * Return: 0; -EXDEV: their keys differ; -EINVAL, -ENOMEM; with words in @err.
 */
int page_source_many_open(struct page_source **out,
			  struct page_source *const *list, unsigned int nr,
			  struct err *err);

#endif
