// SPDX-License-Identifier: GPL-2.0
/*
 * CONFIRM and RELEASE: from digests to leases and back.
 *
 * A digest of the index is a hint until a page has been leased on the strength
 * of it: the node is found, a reference to its page taken, the page found to
 * be the node's still.  That is the proof as long as the hooks do their work.
 * So pages are also hashed again: one lease in 64 always, each one as long as
 * the hooks are in doubt, and each one for ever after one of them turned out
 * to be something else than promised.
 *
 * Before that a page must be one that the file's group may know of.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <linux/umig.h>

#include "chardev.h"
#include "group.h"
#include "health.h"
#include "hotplug.h"
#include "index.h"
#include "key.h"
#include "stable_tree.h"
#include "stats.h"
#include "trace.h"

#define REHASH_ONE_IN	64
#define MAX_PLACES	8	/* pages of one content to try */

static atomic_t leases_taken = ATOMIC_INIT(0);
static bool rehash_always;

/**
 * struct confirm - One run of CONFIRM.
 * @leases: the file's.
 * @group: the file's.
 * @digests: asked for.
 * @ids: answers.
 * @nr: length of both.
 * @nr_held: leases taken.
 * @nr_other: digests whose pages are all of other groups.
 * @hash: the key and the generation that the run sticks to.
 * @bounce: a page, to hash in.
 * @rehash: hash every page.
 */
struct confirm {
	struct umig_leases *leases;
	const struct umig_group *group;
	u8 (*digests)[UMIG_DIGEST_SIZE];
	u32 *ids;
	u32 nr;
	u32 nr_held;
	u32 nr_other;
	struct umig_hash hash;
	void *bounce;
	bool rehash;
};

static void report_mismatch(struct confirm *c)
{
	umig_count(UMIG_LEASE_MISMATCH);
	/* With dead hooks it is no wonder, and everything is hashed anyway. */
	if (c->rehash)
		return;
	if (!xchg(&rehash_always, true))
		pr_warn("a merged page wasn't what the index promised: every lease is hashed from now on; this is a bug, report it with the kernel's version\n");
}

static bool is_promised(struct confirm *c, struct folio *folio,
			const u8 *digest)
{
	u8 actual[UMIG_DIGEST_SIZE];

	umig_count(UMIG_LEASE_REHASHED);
	if (umig_hash_folio(&c->hash, folio, c->bounce, actual))
		return false;
	if (!memcmp(actual, digest, sizeof(actual)))
		return true;
	report_mismatch(c);
	return false;
}

static bool must_rehash(const struct confirm *c)
{
	return c->rehash || READ_ONCE(rehash_always) ||
	       atomic_inc_return(&leases_taken) % REHASH_ONE_IN == 0;
}

/* Of this group?  Not a word about the others, by a counter neither. */
static bool is_ours(struct confirm *c, const struct umig_place *place,
		    struct folio *folio, bool *of_others)
{
	int ret = umig_group_shares(c->group, place, folio, NULL);

	if (ret == -EBUSY)
		umig_count(UMIG_CONFIRM_BUSY);
	else if (ret <= 0)
		*of_others = true;
	return ret > 0;
}

/*
 * A reference to the node's page, which is of the node's content.
 *
 * Looking at the entry once more: between reading its pfn and getting the
 * reference the content may have been moved away and back; while it is moved,
 * the new folio points to the node before the content is there, but the entry
 * names that folio only after.  Without hooks the entry knows nothing of that:
 * the page must be settled, too.
 */
static struct folio *get_proven(struct confirm *c,
				const struct umig_place *place,
				const u8 *digest, bool *of_others)
{
	struct folio *folio = umig_place_get_folio(place);
	u8 known[UMIG_DIGEST_SIZE];
	bool ok;

	if (IS_ERR(folio))
		return NULL;
	ok = umig_index_digest(place, c->hash.generation, known) &&
	     !memcmp(known, digest, sizeof(known)) &&
	     is_ours(c, place, folio, of_others);
	if (ok && c->rehash && !umig_place_is_settled(place, folio)) {
		umig_count(UMIG_CONFIRM_BUSY);
		ok = false;
	}
	if (ok && must_rehash(c) && !is_promised(c, folio, digest)) {
		umig_index_drop(place, true);
		ok = false;
	}
	if (ok)
		return folio;
	folio_put(folio);
	return NULL;
}

/* Returns 0 with or without a lease; an error is one of the whole call. */
static int lease_place(struct confirm *c, const struct umig_place *place,
		       const u8 *digest, u32 *id, bool *of_others)
{
	struct folio *folio;
	int err = 0;

	umig_pages_lock();
	folio = get_proven(c, place, digest, of_others);
	if (folio) {
		err = umig_lease_add(c->leases, folio, id);
		if (err)
			folio_put(folio);
	}
	umig_pages_unlock();
	return err;
}

static int lease_digest(struct confirm *c, const u8 *digest, u32 *id)
{
	struct umig_place places[MAX_PLACES];
	bool of_others = false;
	unsigned int i, nr;
	int err = 0;

	*id = 0;
	nr = umig_index_find(digest, c->hash.generation, places, MAX_PLACES);
	for (i = 0; i < nr && !*id && !err; i++)
		err = lease_place(c, &places[i], digest, id, &of_others);
	if (*id)
		c->nr_held++;
	else if (of_others)
		c->nr_other++;
	/* At a limit "not held" is the answer. */
	return err == -ENOSPC ? 0 : err;
}

static void undo(struct confirm *c)
{
	u32 i;

	for (i = 0; i < c->nr; i++)
		if (c->ids[i])
			umig_lease_put(c->leases, c->ids[i]);
	memset(c->ids, 0, c->nr * sizeof(*c->ids));
	c->nr_held = 0;
	c->nr_other = 0;
}

static int lease_all(struct confirm *c)
{
	int err = 0;
	u32 i;

	for (i = 0; i < c->nr && !err; i++) {
		err = lease_digest(c, c->digests[i], &c->ids[i]);
		if (fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	if (err)
		undo(c);
	return err;
}

/*
 * If the hooks die, or turn out to have missed something, while leases are
 * taken, these are not worth anything: once more, and hash everything.
 */
static int lease_all_surely(struct confirm *c)
{
	int err;

	c->rehash = !umig_health_check();
	umig_key_get(&c->hash);
	err = lease_all(c);
	if (err || c->rehash)
		return err;
	if (umig_health_check() &&
	    c->hash.generation == umig_index_generation())
		return 0;
	undo(c);
	c->rehash = true;
	umig_key_get(&c->hash);
	return lease_all(c);
}

static int confirm_alloc(struct confirm *c)
{
	c->digests = kvmalloc_array(c->nr, sizeof(*c->digests), GFP_KERNEL);
	c->ids = kvcalloc(c->nr, sizeof(*c->ids), GFP_KERNEL);
	c->bounce = (void *)__get_free_page(GFP_KERNEL);
	if (!c->digests || !c->ids || !c->bounce)
		return -ENOMEM;
	return 0;
}

static void confirm_free(struct confirm *c)
{
	memzero_explicit(&c->hash, sizeof(c->hash));
	free_page((unsigned long)c->bounce);
	kvfree(c->ids);
	kvfree(c->digests);
}

static int confirm_answer(struct umig_ucmd *ucmd, struct confirm *c)
{
	struct umig_confirm *cmd = ucmd->cmd;

	cmd->nr_held = c->nr_held;
	if (copy_to_user(u64_to_user_ptr(cmd->leases), c->ids,
			 c->nr * sizeof(*c->ids)))
		return -EFAULT;
	return umig_ucmd_respond(ucmd);
}

static int confirm_run(struct umig_ucmd *ucmd, struct confirm *c)
{
	struct umig_confirm *cmd = ucmd->cmd;
	int err;

	if (copy_from_user(c->digests, u64_to_user_ptr(cmd->digests),
			   c->nr * sizeof(*c->digests)))
		return -EFAULT;
	err = lease_all_surely(c);
	if (err)
		return err;
	umig_count_add(UMIG_CONFIRM_ASKED, c->nr);
	umig_count_add(UMIG_CONFIRM_HELD, c->nr_held);
	umig_count_add(UMIG_CONFIRM_OTHER_GROUP, c->nr_other);
	trace_umig_confirm(__kuid_val(ucmd->file->account->uid), c->nr,
			   c->nr_held, c->nr_other);
	err = confirm_answer(ucmd, c);
	if (err)
		undo(c);
	return err;
}

/** umig_ioctl_confirm() - Which digests are held?  Lease them. */
int umig_ioctl_confirm(struct umig_ucmd *ucmd)
{
	struct umig_confirm *cmd = ucmd->cmd;
	struct confirm c = {
		.leases = &ucmd->file->leases,
		.group = &ucmd->file->group,
		.nr = cmd->nr,
	};
	int err;

	if (cmd->flags || !cmd->nr || cmd->nr > UMIG_MAX_BATCH)
		return -EINVAL;
	err = umig_account_pace(ucmd->file->account, c.nr);
	if (err)
		return err;
	err = confirm_alloc(&c);
	if (!err)
		err = confirm_run(ucmd, &c);
	confirm_free(&c);
	return err;
}

static int release_listed(struct umig_ucmd *ucmd)
{
	struct umig_release *cmd = ucmd->cmd;
	u32 *ids, i;

	if (!cmd->nr || cmd->nr > UMIG_MAX_BATCH)
		return -EINVAL;
	ids = memdup_user(u64_to_user_ptr(cmd->leases),
			  cmd->nr * sizeof(*ids));
	if (IS_ERR(ids))
		return PTR_ERR(ids);
	cmd->nr_released = 0;
	for (i = 0; i < cmd->nr; i++)
		cmd->nr_released += umig_lease_put(&ucmd->file->leases, ids[i]);
	kfree(ids);
	return 0;
}

/** umig_ioctl_release() - Give leases back. */
int umig_ioctl_release(struct umig_ucmd *ucmd)
{
	struct umig_release *cmd = ucmd->cmd;
	int err = 0;

	if (cmd->flags & ~UMIG_RELEASE_ALL)
		return -EINVAL;
	if (!(cmd->flags & UMIG_RELEASE_ALL))
		err = release_listed(ucmd);
	else if (cmd->leases || cmd->nr)
		err = -EINVAL;
	else
		cmd->nr_released = umig_lease_put_all(&ucmd->file->leases);
	return err ?: umig_ucmd_respond(ucmd);
}
