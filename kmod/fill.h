/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One leased page into the caller's memory, for FILL and SHARE.
 */
#ifndef UMIG_FILL_H
#define UMIG_FILL_H

struct umig_fill_item;
struct umig_leases;

int umig_fill_one(struct umig_leases *leases,
		  const struct umig_fill_item *item, void *bounce);

#endif
