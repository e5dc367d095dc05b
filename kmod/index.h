/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The index: for each stable node of KSM where its page is and which digest
 * its content has, found by node and by digest.
 */
#ifndef UMIG_INDEX_H
#define UMIG_INDEX_H

#include <linux/types.h>

#include <linux/umig.h>

#include "stable_tree.h"

struct folio;

/** struct umig_index_usage - How full the index is. */
struct umig_index_usage {
	u64 generation;
	u64 hashed;
	u64 unhashed;
	u64 bytes;
	u64 limit_bytes;
};

/** struct umig_index_record - A hashed entry, as the export sees it. */
struct umig_index_record {
	struct umig_place place;
	u8 digest[UMIG_DIGEST_SIZE];
};

int umig_index_init(unsigned long limit_bytes);
void umig_index_exit(void);

/* From a hook: O(1), no allocation, never sleep. */
void umig_index_remove(struct umig_node *node);
bool umig_index_has(struct umig_node *node);
bool umig_index_move(const struct umig_place *place);

/* From process context. */
int umig_index_note(const struct umig_place *place);
bool umig_index_next(struct umig_place *place);
void umig_index_defer(const struct umig_place *place);
void umig_index_drop(const struct umig_place *place, bool even_if_current);
void umig_index_sweep(unsigned int nr);
int umig_index_store(const struct umig_place *place, struct folio *folio,
		     const u8 *digest, u64 generation);
u64 umig_index_invalidate(void);
u64 umig_index_generation(void);
void umig_index_reap(void);
unsigned long umig_index_evict(unsigned long nr);
void umig_index_usage(struct umig_index_usage *usage);
bool umig_index_full(void);

/* Readers, lock-free. */
/* A file position: adding a length to it must not overflow. */
#define UMIG_INDEX_END	(1LL << 62)
bool umig_index_digest_rcu(const struct umig_place *place, u64 generation,
			   u8 *digest);
bool umig_index_digest(const struct umig_place *place, u64 generation,
		       u8 *digest);
unsigned int umig_index_find(const u8 *digest, u64 generation,
			     struct umig_place *places, unsigned int max);
unsigned int umig_index_walk(loff_t *pos, struct umig_index_record *records,
			     unsigned int max);

#endif
