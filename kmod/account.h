/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Accounts: what all open files of one user have of the module together.
 */
#ifndef UMIG_ACCOUNT_H
#define UMIG_ACCOUNT_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/uidgid.h>

/** struct umig_account - One user's; freed when nothing is owed any more. */
struct umig_account {
	/* Immutable. */
	kuid_t uid;

	/* Under the accounts' lock. */
	struct hlist_node link;
	unsigned int files;
	u64 paid_until_ns;	/* what was asked takes until then */

	/* Under the lease lock. */
	unsigned int leases;
};

struct umig_account *umig_account_get(kuid_t uid);
void umig_account_put(struct umig_account *account);
int umig_account_pace(struct umig_account *account, unsigned int nr);
void umig_account_reap(void);
void umig_account_exit(void);

#endif
