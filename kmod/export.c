// SPDX-License-Identifier: GPL-2.0
/*
 * read(2): the index, record by record, for directories and tools.  The file
 * position is a cursor into the index, so that a reader can go on where it
 * stopped.  A record is given only if its page is its node's at that moment, and
 * in mode SCAN only if the page has its digest still, which is seen by hashing.
 */
#include <linux/err.h>
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

#define PORTION	64	/* records */

/**
 * struct portion - Some records on their way.
 * @found: what the index says.
 * @records: what the reader gets.
 * @rehash: the index may be wrong.
 * @hash: to find out.
 * @bounce: to hash in.
 */
struct portion {
	struct umig_index_record found[PORTION];
	struct umig_record records[PORTION];
	bool rehash;
	struct umig_hash hash;
	u8 bounce[PAGE_SIZE];
};

static bool is_true(struct portion *p, const struct umig_index_record *found,
		    struct folio *folio)
{
	u8 actual[UMIG_DIGEST_SIZE];

	if (!p->rehash)
		return true;
	return umig_place_is_settled(&found->place, folio) &&
	       !umig_hash_folio(&p->hash, folio, p->bounce, actual) &&
	       !memcmp(actual, found->digest, sizeof(actual));
}

/*
 * Returns false if the page has gone meanwhile, or is of other groups only.
 * Under umig_pages_lock().
 */
static bool make_record(struct portion *p, const struct umig_group *group,
			const struct umig_index_record *found,
			struct umig_record *record)
{
	struct folio *folio = umig_place_get_folio(&found->place);
	bool ours;

	if (IS_ERR(folio))
		return false;
	ours = umig_group_shares(group, &found->place, folio,
				 &record->sharers) > 0 &&
	       is_true(p, found, folio);
	folio_put(folio);
	if (!ours)
		return false;
	memcpy(record->digest, found->digest, sizeof(record->digest));
	record->reserved = 0;
	return true;
}

static unsigned int next_records(struct portion *p,
				 const struct umig_group *group,
				 unsigned int max, loff_t *pos)
{
	unsigned int i, found, nr = 0;

	p->rehash = !umig_health_check();
	umig_key_get(&p->hash);
	found = umig_index_walk(pos, p->found, max);
	umig_pages_lock();
	for (i = 0; i < found; i++)
		nr += make_record(p, group, &p->found[i], &p->records[nr]);
	umig_pages_unlock();
	return nr;
}

static ssize_t export(struct portion *p, const struct umig_group *group,
		      char __user *buf, size_t max, loff_t *pos)
{
	unsigned int nr;
	size_t done = 0;

	while (done < max && *pos != UMIG_INDEX_END) {
		if (fatal_signal_pending(current))
			return -EINTR;
		nr = next_records(p, group,
				  min_t(size_t, max - done, PORTION), pos);
		if (copy_to_user(buf + done * sizeof(*p->records), p->records,
				 nr * sizeof(*p->records)))
			return -EFAULT;
		done += nr;
		cond_resched();
	}
	return done * sizeof(*p->records);
}

/** umig_export_read() - As described at &struct umig_record. */
ssize_t umig_export_read(struct file *file, char __user *buf, size_t len,
			 loff_t *pos)
{
	struct umig_file *f = file->private_data;
	struct portion *p;
	ssize_t ret;

	if (!umig_key_loaded())
		return -ENOKEY;
	if (len < sizeof(struct umig_record))
		return -EINVAL;
	p = kvmalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	ret = export(p, &f->group, buf, len / sizeof(struct umig_record), pos);
	kvfree_sensitive(p, sizeof(*p));
	return ret;
}
