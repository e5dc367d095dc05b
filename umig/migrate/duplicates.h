/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages of this VM that have the same content as one that was just sent: the
 * source keeps the bytes of the last pages that it sent whole although their
 * digest was known, and names such a page instead of sending its twin.
 *
 * A digest only says where to look: what decides is a comparison with the
 * bytes that went out, since the guest may have written the page between its
 * digest's look-up and its sending.
 */
#ifndef UMIG_MIGRATE_DUPLICATES_H
#define UMIG_MIGRATE_DUPLICATES_H

#include <stdbool.h>
#include <stdint.h>

#define DUPLICATES_KEPT 1024	/* 4 MiB */

/** struct duplicate_entry - What was sent for an offer's digest. */
struct duplicate_entry {
	uint32_t offer;
	uint32_t round;		/* 0: empty */
	uint64_t gfn;
};

struct duplicates {
	struct duplicate_entry entry[DUPLICATES_KEPT];
	uint8_t *bytes;		/* DUPLICATES_KEPT pages */
};

int duplicates_init(struct duplicates *d);
void duplicates_exit(struct duplicates *d);

/** duplicates_keep() - @page was sent whole as @gfn in @round. */
void duplicates_keep(struct duplicates *d, uint32_t offer, uint64_t gfn,
		     uint32_t round, const void *page);

/**
 * duplicates_find() - A page sent in @round with exactly the bytes of @page.
 *
 * Only of this round: the destination knows a content by page and round.
 */
bool duplicates_find(const struct duplicates *d, uint32_t offer,
		     uint32_t round, const void *page, uint64_t *gfn);

#endif
