// SPDX-License-Identifier: GPL-2.0
/*
 * Trust groups, and JOIN.  A process that has joined a group is remembered by
 * its mm_struct; a page is told of to a file only if KSM's list of those who
 * share it names one of the file's group.  Nothing else of a process is looked
 * at, and nobody's memory is kept alive.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "group.h"

#include <linux/errno.h>
#include <linux/hashtable.h>
#include <linux/limits.h>
#include <linux/mm_types.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "chardev.h"
#include "compat/compat.h"
#include "params.h"
#include "stable_tree.h"

/**
 * DOC: Lifetime of a membership
 *
 *   JOIN ─▶ member: holds mm_count, so that the mm_struct's address can't
 *           come to mean another process; not mm_users, so that the process's
 *           memory goes when the process does
 *   dead, and nobody but us holds mm_count ─▶ freed by the next reaping
 *
 * Files don't count.  If closing the last one ended it, the pages that are
 * still merged for the process would be the common group's at once; and so
 * would a dead process's, whose list entries stay until KSM passes by.  KSM
 * holds mm_count for as long as there is one, hence the condition above.  So may
 * an idle CPU that ran the process last, for a while: that does no harm.
 *
 * DOC: The common group's short cut
 *
 * Without a member every sharer is of the common group, and no list is looked
 * at.  Whether there is one is read after the reference to the page was taken,
 * and its node, content and digest were found: what a process that joins only
 * then has merged, or merges later, isn't the reason for them.
 */

struct member {
	struct hlist_node link;
	struct mm_struct *mm;
	u8 group[UMIG_GROUP_SIZE];
};

/* For the table, its members and every file's struct umig_group. */
static DECLARE_RWSEM(members_lock);
static DEFINE_HASHTABLE(members, 8);
static unsigned int nr_members;

/* A sharer did not look as this module believes; never cleared. */
static bool distrusted;

static bool is_common(const u8 *group)
{
	return !memchr_inv(group, 0, UMIG_GROUP_SIZE);
}

static struct member *find_locked(const struct mm_struct *mm)
{
	struct member *m;

	hash_for_each_possible(members, m, link, (unsigned long)mm)
		if (m->mm == mm)
			return m;
	return NULL;
}

static bool is_of_group(const struct mm_struct *mm, const void *group)
{
	const struct member *m = find_locked(mm);

	if (!m)
		return is_common(group);
	return !memcmp(m->group, group, UMIG_GROUP_SIZE);
}

/**
 * umig_group_shares() - Does a process of the group share that page?
 * @group: an open file's.
 * @place: node and page.
 * @folio: the page, with the caller's reference.
 * @sharers: out: how many do, if not NULL; else the first one ends the search.
 *
 * Where there is no group but the common one @sharers is exact; else it is what
 * KSM has recorded.
 *
 * Return: above 0: yes; 0: no; -EBUSY: can't be told without waiting; -EPROTO:
 * can't be told at all.
 */
int umig_group_shares(const struct umig_group *group,
		      const struct umig_place *place, struct folio *folio,
		      u32 *sharers)
{
	int ret;

	if (likely(!READ_ONCE(nr_members) && is_common(group->id))) {
		if (sharers)
			*sharers = umig_folio_mapcount(folio);
		return 1;
	}
	down_read(&members_lock);
	ret = umig_place_count_sharers(place, folio, is_of_group, group->id,
				       sharers ? INT_MAX : 1);
	up_read(&members_lock);
	if (ret > 0 && sharers)
		*sharers = ret;
	if (ret == -EPROTO)
		umig_group_distrust();
	return ret;
}

/**
 * umig_group_distrust() - Sharers don't look as they should.
 *
 * From any context, also a hook's; that it is so is said by the next reaping.
 */
void umig_group_distrust(void)
{
	WRITE_ONCE(distrusted, true);
}

static void complain_once(void)
{
	static bool done;

	if (umig_group_works() || done)
		return;
	done = true;
	pr_err("the layout of KSM's list of sharers isn't known: trust groups don't work on this kernel, pages of groups are confirmed to nobody; report its version\n");
}

/** umig_group_works() - Can groups be told apart, as far as is known? */
bool umig_group_works(void)
{
	return !READ_ONCE(distrusted);
}

/** umig_group_members() - Processes that are in a group. */
u64 umig_group_members(void)
{
	return READ_ONCE(nr_members);
}

/* Takes over @new on success only. */
static int join_locked(struct umig_group *file, struct member *new)
{
	const struct member *old = find_locked(new->mm);

	if (file->joined && memcmp(file->id, new->group, sizeof(file->id)))
		return -EBUSY;
	if (old && memcmp(old->group, new->group, sizeof(old->group)))
		return -EBUSY;
	if (!old && !is_common(new->group) &&
	    nr_members >= READ_ONCE(umig_members_total))
		return -ENOSPC;
	file->joined = true;
	memcpy(file->id, new->group, sizeof(file->id));
	if (old || is_common(new->group))
		return 0;
	mmgrab(new->mm);
	hash_add(members, &new->link, (unsigned long)new->mm);
	WRITE_ONCE(nr_members, nr_members + 1);
	return 1;
}

/** umig_ioctl_join() - The caller and its file become of a group. */
int umig_ioctl_join(struct umig_ucmd *ucmd)
{
	const struct umig_join *cmd = ucmd->cmd;
	struct member *new;
	int ret;

	if (cmd->flags)
		return -EINVAL;
	if (!umig_group_works() && !is_common(cmd->group))
		return -EOPNOTSUPP;
	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	new->mm = current->mm;
	memcpy(new->group, cmd->group, sizeof(new->group));

	down_write(&members_lock);
	ret = join_locked(&ucmd->file->group, new);
	up_write(&members_lock);
	if (ret <= 0)
		kfree(new);
	return min(ret, 0);
}

static void free_locked(struct member *m)
{
	hash_del(&m->link);
	WRITE_ONCE(nr_members, nr_members - 1);
	mmdrop(m->mm);
	kfree(m);
}

/* Nobody can get hold of it any more, KSM neither. */
static bool is_forgotten(const struct member *m)
{
	return !atomic_read(&m->mm->mm_users) &&
	       atomic_read(&m->mm->mm_count) == 1;
}

/** umig_group_reap() - Once a second: forget members that KSM has forgotten. */
void umig_group_reap(void)
{
	struct hlist_node *next;
	struct member *m;
	int i;

	complain_once();
	if (!READ_ONCE(nr_members))
		return;
	down_write(&members_lock);
	hash_for_each_safe(members, i, next, m, link)
		if (is_forgotten(m))
			free_locked(m);
	up_write(&members_lock);
}

/** umig_group_exit() - No file is open: nobody asks any more. */
void umig_group_exit(void)
{
	struct hlist_node *next;
	struct member *m;
	int i;

	hash_for_each_safe(members, i, next, m, link)
		free_locked(m);
}
