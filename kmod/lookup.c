// SPDX-License-Identifier: GPL-2.0
/*
 * Readers of the index: by node for RANGE, by digest for CONFIRM, all of it
 * for read(2).  They take no lock: an entry that can be reached doesn't change
 * but for its pfn, and is freed by RCU.  What they return was true a moment
 * ago; the caller proves it against the folio.
 */
#include "index.h"

#include <linux/minmax.h>
#include <linux/string.h>

#include "debug.h"
#include "index_private.h"

#define WALK_BUCKETS	1024

/**
 * umig_index_digest_rcu() - The digest of a node's content.
 * @place: the node and the page that it was found in.  The caller holds a
 *	reference to that page, has read the node from its mapping before, and
 *	discards the answer if the mapping is another one after.
 * @generation: digests of another one don't count.
 * @digest: out.
 *
 * The entry's pfn must agree too.  It does whenever the hooks do their work:
 * one more chance to notice an entry that has outlived its node.
 *
 * Under rcu_read_lock().
 *
 * Return: whether there is one.
 */
bool umig_index_digest_rcu(const struct umig_place *place, u64 generation,
			   u8 *digest)
{
	struct umig_entry *e = umig_entry_find(place->node);

	if (!e || e->generation != generation ||
	    (READ_ONCE(e->pfn) != place->pfn &&
	     !umig_broken(UMIG_BREAK_PFN)))
		return false;
	memcpy(digest, e->digest, sizeof(e->digest));
	return true;
}

/** umig_index_digest() - As umig_index_digest_rcu(), for one page. */
bool umig_index_digest(const struct umig_place *place, u64 generation,
		       u8 *digest)
{
	bool found;

	rcu_read_lock();
	found = umig_index_digest_rcu(place, generation, digest);
	rcu_read_unlock();
	return found;
}

/**
 * umig_index_find() - Where is a content?
 * @digest: what to look for.
 * @generation: digests of another one don't count.
 * @places: out: nodes that had it a moment ago.
 * @max: room in @places.
 *
 * Return: how many were found.
 */
unsigned int umig_index_find(const u8 *digest, u64 generation,
			     struct umig_place *places, unsigned int max)
{
	unsigned int nr = 0;
	struct umig_entry *e;

	rcu_read_lock();
	hlist_for_each_entry_rcu(e, umig_digest_bucket(digest), by_digest) {
		if (e->generation != generation ||
		    memcmp(e->digest, digest, sizeof(e->digest)))
			continue;
		places[nr].node = e->node;
		places[nr].pfn = READ_ONCE(e->pfn);
		if (++nr == max)
			break;
	}
	rcu_read_unlock();
	return nr;
}

/*
 * A position is a bucket and how many entries of it have been passed.  Entries
 * that come and go shift the others of their bucket, no more.
 */
#define POS_SKIP_BITS	20

static loff_t make_pos(unsigned long bucket, unsigned long skip)
{
	if (skip >= BIT(POS_SKIP_BITS)) {
		bucket++;
		skip = 0;
	}
	if (bucket >= BIT(umig_idx.bits))
		return UMIG_INDEX_END;
	return (loff_t)bucket << POS_SKIP_BITS | skip;
}

static unsigned int walk_bucket(unsigned long bucket, unsigned int skip,
				struct umig_index_record *records,
				unsigned int max)
{
	u64 generation = umig_index_generation();
	unsigned int nr = 0;
	struct umig_entry *e;

	hlist_for_each_entry_rcu(e, &umig_idx.digests[bucket], by_digest) {
		if (e->generation != generation)
			continue;
		if (skip) {
			skip--;
			continue;
		}
		if (nr == max)
			break;
		records[nr].place.node = e->node;
		records[nr].place.pfn = READ_ONCE(e->pfn);
		memcpy(records[nr].digest, e->digest, sizeof(e->digest));
		nr++;
	}
	return nr;
}

/**
 * umig_index_walk() - The next few hashed entries, in no particular order.
 * @pos: in, out: 0 at first, opaque then, UMIG_INDEX_END at the end.
 * @records: out.
 * @max: room in @records.
 *
 * Looks at a bounded number of buckets: the caller calls again, after it has
 * looked for signals.
 *
 * Return: how many were found, maybe 0 before the end.
 */
unsigned int umig_index_walk(loff_t *pos, struct umig_index_record *records,
			     unsigned int max)
{
	unsigned long bucket = *pos >> POS_SKIP_BITS;
	unsigned long skip = *pos & (BIT(POS_SKIP_BITS) - 1);
	unsigned long stop;
	unsigned int got, nr = 0;

	stop = min(bucket + WALK_BUCKETS, BIT(umig_idx.bits));
	for (; bucket < stop; bucket++) {
		rcu_read_lock();
		got = walk_bucket(bucket, skip, records + nr, max - nr);
		rcu_read_unlock();
		nr += got;
		if (nr == max) {
			skip += got;
			break;
		}
		skip = 0;
	}
	*pos = make_pos(bucket, skip);
	return nr;
}
