/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What index.c (which changes the index), index_mem.c (which owns its memory)
 * and lookup.c (which reads it) have in common.  Nobody else includes this.
 */
#ifndef UMIG_INDEX_PRIVATE_H
#define UMIG_INDEX_PRIVATE_H

#include <linux/hash.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/rculist.h>
#include <linux/spinlock.h>

#include "compat/compat.h"
#include "index.h"

/* First what RANGE reads: it is there for each page that is asked about. */
struct umig_entry {
	struct hlist_node by_node;
	struct umig_node *node;
	unsigned long pfn;		/* written under lock */
	u64 generation;			/* 0: no digest */
	u8 digest[UMIG_DIGEST_SIZE];
	struct hlist_node by_digest;
	union {
		struct list_head link;	/* todo, hashed or dead; under lock */
		struct rcu_head rcu;	/* after dead */
	};
};

struct umig_index {
	/* Immutable after init. */
	struct kmem_cache *cache;
	struct hlist_head *nodes;
	struct hlist_head *digests;
	unsigned int bits;
	unsigned long mask;	/* BIT(bits) - 1 */
	u64 limit_bytes;
	u64 max_entries;	/* the dead ones included */
	u64 max_live;

	/* Entries that exist, the dead ones included. */
	atomic64_t allocated;

	/* Under lock. */
	raw_spinlock_t lock;
	struct list_head todo;
	struct list_head hashed;
	struct list_head dead;
	u64 nr_todo;
	u64 nr_hashed;
	u64 generation;		/* also read without */
};

extern struct umig_index umig_idx;

struct umig_entry *umig_entry_alloc(const struct umig_place *place);
void umig_entry_free(struct umig_entry *e);
/* Under the lock. */
void umig_entry_unlink(struct umig_entry *e);
bool umig_entry_evict(void);

/* A node's size, about. */
#define NODE_SHIFT	6

/*
 * KSM takes the nodes of pages that it merges one after the other from the same
 * page of its slab cache, and such pages are asked about together: the nodes of
 * a page have neighbouring buckets.  Where that page's are is random.
 */
static inline struct hlist_head *
umig_node_bucket(const struct umig_node *node)
{
	unsigned long page = (unsigned long)node >> PAGE_SHIFT;
	unsigned long slot = offset_in_page(node) >> NODE_SHIFT;

	return &umig_idx.nodes[(hash_long(page, 32) + slot) & umig_idx.mask];
}

/* Digests are keyed hashes: any of their bits will do. */
static inline struct hlist_head *umig_digest_bucket(const u8 *digest)
{
	return &umig_idx.digests[get_unaligned_le32(digest) &
				 (BIT(umig_idx.bits) - 1)];
}

/* Under lock or rcu_read_lock(). */
static inline struct umig_entry *umig_entry_find(const struct umig_node *node)
{
	struct umig_entry *e;

	hlist_for_each_entry_rcu(e, umig_node_bucket(node), by_node,
				 lockdep_is_held(&umig_idx.lock))
		if (e->node == node)
			return e;
	return NULL;
}

#endif
