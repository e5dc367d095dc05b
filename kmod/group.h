/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trust groups: whose merged pages are confirmed to whom.
 */
#ifndef UMIG_GROUP_H
#define UMIG_GROUP_H

#include <linux/types.h>

#include <linux/umig.h>

struct folio;
struct umig_place;

/**
 * struct umig_group - What an open file belongs to; under the members' lock.
 * @joined: it has joined a group, perhaps the common one.
 * @id: which; all zero is the common group.
 */
struct umig_group {
	bool joined;
	u8 id[UMIG_GROUP_SIZE];
};

int umig_group_shares(const struct umig_group *group,
		      const struct umig_place *place, struct folio *folio,
		      u32 *sharers);

void umig_group_distrust(void);
bool umig_group_works(void);
u64 umig_group_members(void);
void umig_group_reap(void);
void umig_group_exit(void);

#endif
