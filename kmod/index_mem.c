// SPDX-License-Identifier: GPL-2.0
/*
 * The index's memory: tables that are allocated once, entries up to a limit,
 * and how entries are freed while readers may still look at them.
 *
 * An entry above the limit pushes the oldest hashed one out; memory pressure
 * does the same.  That costs coverage, never truth.
 */
#include "index.h"

#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "index_private.h"
#include "stats.h"
#include "trace.h"

#define MIN_BITS	10
#define MAX_BITS	26
#define DEAD_SHARE	16	/* 1/16 of all entries may be dead */
#define CHAIN_TARGET	4	/* entries of a full index to a bucket */

/*
 * Dead entries count until readers can't see them any more.  When they have
 * used up what the limit leaves for them, wait for that.
 */
static void keep_limit(void)
{
	if (atomic64_read(&umig_idx.allocated) < umig_idx.max_entries)
		return;
	umig_index_reap();
	rcu_barrier();
}

/**
 * umig_entry_alloc() - An entry without a digest that nobody sees yet.
 * @place: which.
 */
struct umig_entry *umig_entry_alloc(const struct umig_place *place)
{
	struct umig_entry *e;

	keep_limit();
	e = kmem_cache_zalloc(umig_idx.cache, GFP_KERNEL);
	if (!e)
		return NULL;
	atomic64_inc(&umig_idx.allocated);
	e->node = place->node;
	e->pfn = place->pfn;
	return e;
}

/**
 * umig_entry_free() - Free an entry.
 * @e: readers can't reach it.
 */
void umig_entry_free(struct umig_entry *e)
{
	atomic64_dec(&umig_idx.allocated);
	kmem_cache_free(umig_idx.cache, e);
}

static void entry_free_rcu(struct rcu_head *rcu)
{
	umig_entry_free(container_of(rcu, struct umig_entry, rcu));
}

/**
 * umig_entry_evict() - Make room: the oldest digest goes first, then the oldest
 * page without one.  Under the index's lock.
 *
 * Return: false if the index is empty.
 */
bool umig_entry_evict(void)
{
	struct umig_entry *e;

	e = list_first_entry_or_null(&umig_idx.hashed, struct umig_entry, link);
	if (!e)
		e = list_first_entry_or_null(&umig_idx.todo,
					     struct umig_entry, link);
	if (!e)
		return false;
	trace_umig_evict(e->pfn, e->generation == umig_idx.generation);
	umig_entry_unlink(e);
	umig_count(UMIG_EVICTED);
	return true;
}

/** umig_index_reap() - Free what hooks have unlinked. */
void umig_index_reap(void)
{
	struct umig_entry *e, *next;
	LIST_HEAD(dead);

	raw_spin_lock_irq(&umig_idx.lock);
	list_splice_init(&umig_idx.dead, &dead);
	raw_spin_unlock_irq(&umig_idx.lock);

	list_for_each_entry_safe(e, next, &dead, link)
		call_rcu(&e->rcu, entry_free_rcu);
}

/**
 * umig_index_evict() - Give up the oldest entries.
 * @nr: how many.
 *
 * Return: how many there were.
 */
unsigned long umig_index_evict(unsigned long nr)
{
	unsigned long flags, done;
	bool more = true;

	for (done = 0; done < nr && more; done += more) {
		raw_spin_lock_irqsave(&umig_idx.lock, flags);
		more = umig_entry_evict();
		raw_spin_unlock_irqrestore(&umig_idx.lock, flags);
	}
	umig_index_reap();
	return done;
}

static u64 table_bytes(void)
{
	return 2 * sizeof(struct hlist_head) << umig_idx.bits;
}

void umig_index_usage(struct umig_index_usage *usage)
{
	raw_spin_lock_irq(&umig_idx.lock);
	usage->generation = umig_idx.generation;
	usage->hashed = umig_idx.nr_hashed;
	usage->unhashed = umig_idx.nr_todo;
	raw_spin_unlock_irq(&umig_idx.lock);
	usage->bytes = table_bytes() + atomic64_read(&umig_idx.allocated) *
				       sizeof(struct umig_entry);
	usage->limit_bytes = umig_idx.limit_bytes;
}

/** umig_index_full() - Would one entry more push another out? */
bool umig_index_full(void)
{
	bool full;

	raw_spin_lock_irq(&umig_idx.lock);
	full = umig_idx.nr_todo + umig_idx.nr_hashed >= umig_idx.max_live;
	raw_spin_unlock_irq(&umig_idx.lock);
	return full;
}

static int init_tables(void)
{
	unsigned long buckets = umig_idx.limit_bytes / sizeof(struct umig_entry) /
				CHAIN_TARGET;

	umig_idx.bits = clamp(ilog2(buckets | 1) + 1, MIN_BITS, MAX_BITS);
	umig_idx.mask = BIT(umig_idx.bits) - 1;
	umig_idx.nodes = kvcalloc(BIT(umig_idx.bits),
				  sizeof(*umig_idx.nodes), GFP_KERNEL);
	umig_idx.digests = kvcalloc(BIT(umig_idx.bits),
				    sizeof(*umig_idx.digests), GFP_KERNEL);
	if (!umig_idx.nodes || !umig_idx.digests)
		return -ENOMEM;
	return 0;
}

/**
 * umig_index_init() - Allocate the tables.
 * @limit_bytes: for tables and entries.
 *
 * Return: 0; -EINVAL: they are too few; -ENOMEM.
 */
int umig_index_init(unsigned long limit_bytes)
{
	int err;

	umig_idx.limit_bytes = limit_bytes;
	err = init_tables();
	if (err)
		goto free_tables;
	if (table_bytes() >= limit_bytes) {
		err = -EINVAL;
		goto free_tables;
	}
	umig_idx.max_entries = (limit_bytes - table_bytes()) /
			       sizeof(struct umig_entry);
	umig_idx.max_live = umig_idx.max_entries -
			    umig_idx.max_entries / DEAD_SHARE;
	umig_idx.cache = kmem_cache_create("umig_entry",
					   sizeof(struct umig_entry), 0, 0,
					   NULL);
	if (!umig_idx.cache) {
		err = -ENOMEM;
		goto free_tables;
	}
	return 0;

free_tables:
	kvfree(umig_idx.digests);
	kvfree(umig_idx.nodes);
	return err;
}

static void free_list(struct list_head *list)
{
	struct umig_entry *e, *next;

	list_for_each_entry_safe(e, next, list, link)
		umig_entry_free(e);
}

/**
 * umig_index_exit() - Free everything.
 *
 * Hooks, worker, shrinker and readers are gone.  rcu_barrier() waits for the
 * entries that umig_index_reap() has handed over, whose callbacks use the
 * cache and this module's code.
 */
void umig_index_exit(void)
{
	rcu_barrier();
	free_list(&umig_idx.todo);
	free_list(&umig_idx.hashed);
	free_list(&umig_idx.dead);
	WARN_ON(atomic64_read(&umig_idx.allocated));
	kmem_cache_destroy(umig_idx.cache);
	kvfree(umig_idx.digests);
	kvfree(umig_idx.nodes);
}
