/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parts of mm/ksm.c that the module relies on and that no header of the
 * kernel declares.  Included by stable_tree.c only; see also ksm_mapping.h.
 *
 *	struct ksm_stable_node, 64 bytes on 64-bit, the same on 6.1 ... 7.3:
 *
 *	 0           24     40       48       56          60
 *	 ├───────────┴──────┼────────┼────────┼───────────┼─────┤
 *	 │ tree or list     │ hlist  │ kpfn   │ hlist_len │ nid │
 *	 └──────────────────┴────────┴────────┴───────────┴─────┘
 *
 * hlist: the mappings that share the page; kpfn: where the page is.
 *
 *	struct ksm_rmap_item, one mapping, 64 bytes, the same on 6.1 ... 7.3 in
 *	what is named:
 *
 *	 0           16   24        32       40     48          64
 *	 ├───────────┼────┼─────────┼────────┼──────┼───────────┤
 *	 │           │ mm │ address │        │ head │ hlist     │
 *	 └───────────┴────┴─────────┴────────┴──────┴───────────┘
 *
 * mm: whose mapping; address: where there, flags in the bits below a page: of a
 * mapping that is in a node's hlist only the one that says so is set; head: that
 * node; hlist: the link in its list.
 */
#ifndef UMIG_COMPAT_KSM_LAYOUT_H
#define UMIG_COMPAT_KSM_LAYOUT_H

#include <linux/build_bug.h>
#include <linux/page-flags.h>
#include <linux/types.h>

#ifndef CONFIG_64BIT
#error "umig knows KSM's structures on 64-bit kernels only"
#endif

struct umig_node {
	u8 tree[40];
	struct hlist_head hlist;
	unsigned long kpfn;
	int hlist_len;
	int nid;
};
static_assert(offsetof(struct umig_node, hlist) == 40);
static_assert(offsetof(struct umig_node, kpfn) == 48);
static_assert(sizeof(struct umig_node) == 64);

struct umig_sharer {
	u8 links[16];
	const struct mm_struct *mm;
	unsigned long address;
	u8 unstable[8];
	const struct umig_node *head;
	struct hlist_node hlist;
};
static_assert(offsetof(struct umig_sharer, mm) == 16);
static_assert(offsetof(struct umig_sharer, head) == 40);
static_assert(sizeof(struct umig_sharer) == 64);

#define UMIG_SHARER_STABLE	0x200UL

/*
 *	stable_tree_append(rmap_item, stable_node, bypass)
 *	remove_node_from_stable_tree(stable_node)
 *	folio_migrate_ksm(newfolio, folio)
 *	try_to_merge_one_page(vma, page, kpage)
 */
#define UMIG_KSM_APPEND		"stable_tree_append"
#define UMIG_KSM_REMOVE		"remove_node_from_stable_tree"
#define UMIG_KSM_MIGRATE	"folio_migrate_ksm"
#define UMIG_KSM_MERGE		"try_to_merge_one_page"

#endif
