/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Leases: references to pages, held for the owner of an open file.
 */
#ifndef UMIG_LEASE_H
#define UMIG_LEASE_H

#include <linux/atomic.h>
#include <linux/types.h>
#include <linux/xarray.h>

struct folio;
struct page;
struct umig_account;

/**
 * struct umig_leases - The leases of one open file; under the lease lock.
 * @ids: lease by number.
 * @next_id: numbers go round, so that one that was given back stays unknown
 *	for long rather than naming another page soon.
 * @nr: how many.
 * @account: whose, for as long as the file is open.
 * @lost: taken back, and not told of yet; also without the lock.
 */
struct umig_leases {
	struct xarray ids;
	u32 next_id;
	unsigned int nr;
	struct umig_account *account;
	atomic_t lost;
};

int umig_lease_init(void);
void umig_lease_exit(void);

void umig_leases_init(struct umig_leases *leases,
		      struct umig_account *account);
int umig_lease_add(struct umig_leases *leases, struct folio *folio, u32 *id);
struct page *umig_lease_get_page(struct umig_leases *leases, u32 id);
bool umig_lease_put(struct umig_leases *leases, u32 id);
unsigned int umig_lease_put_all(struct umig_leases *leases);

void umig_lease_expire(void);
unsigned long umig_lease_reclaim(unsigned long nr);
void umig_lease_convert_range(unsigned long start_pfn, unsigned long end_pfn);
u64 umig_lease_count(void);

#endif
