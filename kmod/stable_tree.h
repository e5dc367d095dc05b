/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KSM's stable tree as the rest of the module sees it: nodes that are only
 * names, the folios that belong to them, and a scan that finds them all.
 */
#ifndef UMIG_STABLE_TREE_H
#define UMIG_STABLE_TREE_H

#include <linux/mm_types.h>
#include <linux/types.h>

#include "compat/ksm_mapping.h"

struct mm_struct;
struct pt_regs;

/*
 * A stable node: the identity of one merged content in one page.  Only its
 * address is used outside of stable_tree.c.
 */
struct umig_node;

/** struct umig_place - A node and where its page was found. */
struct umig_place {
	struct umig_node *node;
	unsigned long pfn;
};

/**
 * umig_folio_node() - The stable node that a folio belongs to now.
 * @folio: if the caller holds no reference the answer is a guess.
 *
 * Inline: RANGE asks twice for each page.
 *
 * Return: NULL if it isn't a KSM page, or one whose node KSM has dropped.
 */
static inline struct umig_node *umig_folio_node(struct folio *folio)
{
	unsigned long mapping = (unsigned long)READ_ONCE(folio->mapping);

	if ((mapping & UMIG_MAPPING_FLAGS) != UMIG_MAPPING_KSM)
		return NULL;
	return (struct umig_node *)(mapping & ~UMIG_MAPPING_FLAGS);
}

bool umig_place_is_current(const struct umig_place *place);
bool umig_place_is_settled(const struct umig_place *place,
			   struct folio *folio);
struct folio *umig_place_get_folio(const struct umig_place *place);

typedef bool (*umig_sharer_fn)(const struct mm_struct *mm, const void *arg);

int umig_place_count_sharers(const struct umig_place *place,
			     struct folio *folio, umig_sharer_fn is_it,
			     const void *arg, int max);

/* Which functions of KSM to hook or call, and what the arguments mean. */
extern const char umig_ksm_append[];
extern const char umig_ksm_remove[];
extern const char umig_ksm_migrate[];
extern const char umig_ksm_merge_name[];

/**
 * enum umig_append - What a call of KSM's append means.
 * @UMIG_APPEND_SHARER: one more mapping shares a node.
 * @UMIG_APPEND_NEW: the first one: the node is new, or was without users.
 * @UMIG_APPEND_ALIEN: the node doesn't look as it should.
 * @UMIG_APPEND_ODD: as SHARER, but the sharer that is there doesn't look as it
 *	should.
 */
enum umig_append {
	UMIG_APPEND_SHARER	= 1,
	UMIG_APPEND_NEW		= 2,
	UMIG_APPEND_ALIEN	= 3,
	UMIG_APPEND_ODD		= 4,
};

enum umig_append umig_append_args(struct pt_regs *regs,
				  struct umig_place *place);
const struct mm_struct *umig_append_mapping(struct pt_regs *regs,
					    unsigned long *addr);
struct umig_node *umig_remove_args(struct pt_regs *regs);
bool umig_migrate_args(struct pt_regs *regs, struct umig_place *place);

#define UMIG_SCAN_PAGES	64

/**
 * struct umig_scan - A scan of all memory for KSM pages, step by step.
 * @nid: memory node that is scanned.
 * @pfn: next page to look at.
 * @end: end of that memory node.
 * @agree: KSM pages whose stable node names that page.
 * @disagree: KSM pages whose stable node doesn't: page migration is at work
 *	on one now and then; more means that the layout isn't what we think.
 */
struct umig_scan {
	int nid;
	unsigned long pfn;
	unsigned long end;
	u64 agree;
	u64 disagree;
};

void umig_scan_start(struct umig_scan *scan);
bool umig_scan_done(const struct umig_scan *scan);
unsigned int umig_scan_step(struct umig_scan *scan,
			    struct umig_place found[UMIG_SCAN_PAGES]);

#endif
