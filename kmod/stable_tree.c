// SPDX-License-Identifier: GPL-2.0
/*
 * The only file that knows KSM's private structures (through
 * compat/ksm_layout.h).  It answers which node a folio belongs to, gets a
 * reference to a node's folio, tells who shares it, decodes the arguments of the
 * hooked functions and finds all KSM pages of the machine.  It never takes a
 * lock of KSM, waits for no page's lock and keeps no state.
 */
#include "stable_tree.h"

#include <linux/err.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/pagemap.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "compat/compat.h"
#include "compat/ksm_layout.h"
#include "debug.h"
#include "hotplug.h"

/**
 * DOC: What makes a folio the page of a node
 *
 * folio->mapping of a KSM page is its stable node's address with both low bits
 * set.  KSM writes that value when it creates the node, and page migration
 * carries it to the folio that the content has been moved to; nothing else
 * sets it.  It is cleared (to the low bits alone) before the node is freed, or
 * it vanishes with the folio, which is freed before.  Hence:
 *
 *   Whoever holds a reference to a folio and reads the same node from its
 *   mapping twice knows that this node existed all the time between, and that
 *   it was the same incarnation of it even if nodes' addresses are used again.
 *
 * The content can't change either while the reference is held: KSM write
 * protects the page before it becomes one, a write fault on a KSM page always
 * copies, and a page with a reference that its users don't account for is
 * neither made writable again nor merged anew.  Un-merging (run=2) makes
 * copies for its users and leaves the folio as it is.
 *
 * A node is dereferenced directly only inside a hook, where KSM itself holds
 * on to it; everywhere else only by copy_from_kernel_nofault(), and what is
 * read counts only if it agrees with the folio.
 */

/**
 * DOC: Who shares a page
 *
 * A node's hlist holds a struct ksm_rmap_item for each mapping of the page that
 * KSM knows.  Whoever holds a reference to the folio and its lock, and finds
 * the node in its mapping, may walk that list:
 *
 * - KSM adds to it (stable_tree_append(), from cmp_and_merge_page()) and takes
 *   from it (hlist_del() in remove_rmap_item_from_tree()) under the page's lock
 *   only.  An item is freed after it has been taken out.
 * - KSM drops a node with items in it (remove_node_from_stable_tree()) only
 *   when the page isn't the node's any more: get_ksm_page() has found another
 *   mapping, which a locked and referenced page doesn't get;
 *   remove_stable_node() changes it itself, under the lock; memory has gone
 *   offline, which a referenced page's doesn't.  Page migration, which moves
 *   the node to another page, holds the lock of the old one.
 * - The mm of an item is one that KSM has a reference to (mmgrab() in
 *   __ksm_enter(), dropped after the last item): it is not freed, so its
 *   address is not used for another one, while the item is there.
 *
 * The content that stands in several pages has a node for each, on its own hlist
 * the sharers of that page: chains of nodes needn't be followed.
 *
 * All of it is read by copy_from_kernel_nofault(), and each item must look like
 * one: in the list of this node and of a process that KSM scans.  Where that
 * isn't so the layout isn't what we think, and nothing is said of the page.
 */

const char umig_ksm_append[] = UMIG_KSM_APPEND;
const char umig_ksm_remove[] = UMIG_KSM_REMOVE;
const char umig_ksm_migrate[] = UMIG_KSM_MIGRATE;
const char umig_ksm_merge_name[] = UMIG_KSM_MERGE;

static unsigned long folio_mapping_word(struct folio *folio)
{
	return (unsigned long)READ_ONCE(folio->mapping);
}

static unsigned long node_mapping_word(const struct umig_node *node)
{
	return (unsigned long)node | UMIG_MAPPING_KSM;
}

/*
 * The folio of a page that is thought to be a KSM page, thus of order 0.  Not
 * page_folio(): without a reference a compound head may change under it.
 */
static struct folio *small_folio(struct page *page)
{
	return (struct folio *)page;
}

/**
 * umig_place_is_current() - Does the page of that number belong to the node?
 * @place: what to check.
 *
 * Under umig_pages_lock().  Without a reference to the page this is true for
 * an instant only.
 */
bool umig_place_is_current(const struct umig_place *place)
{
	struct page *page = umig_pfn_to_page(place->pfn);

	return page && folio_mapping_word(small_folio(page)) ==
		       node_mapping_word(place->node);
}

/**
 * umig_place_get_folio() - Take a reference to a node's folio.
 * @place: where it should be.
 *
 * Under umig_pages_lock().  What stands there may be anything by now: looking
 * at the mapping first keeps us from touching other people's reference counts,
 * the checks after the reference make it certain.
 *
 * Return: the folio, to be given back with folio_put(), or an error:
 * -ESTALE: it isn't that node's folio; -EAGAIN: its reference count is frozen
 * for the moment; -EHWPOISON: the memory is broken; -EINVAL: it looks like that
 * node's folio but can't be.
 */
struct folio *umig_place_get_folio(const struct umig_place *place)
{
	struct page *page = umig_pfn_to_page(place->pfn);
	struct folio *folio;
	int err = 0;

	if (!page || !umig_place_is_current(place))
		return ERR_PTR(-ESTALE);
	folio = small_folio(page);
	if (!folio_try_get(folio))
		return ERR_PTR(-EAGAIN);
	if (!umig_place_is_current(place))
		err = -ESTALE;
	else if (PageCompound(page) || PageSlab(page) || PageReserved(page))
		err = -EINVAL;
	else if (PageHWPoison(page))
		err = -EHWPOISON;
	if (!err)
		return folio;
	folio_put(folio);
	return ERR_PTR(err);
}

/**
 * umig_place_is_settled() - Is the page the node's, and its content there?
 * @place: node and page.
 * @folio: the page, with the caller's reference.
 *
 * Page migration lets the new page point to the node before it has the content;
 * the page is locked from before that until after.  True once is true until the
 * reference is dropped, as far as the content goes.
 *
 * Return: false also if it is locked for another reason.
 */
bool umig_place_is_settled(const struct umig_place *place,
			   struct folio *folio)
{
	bool settled;

	if (!folio_trylock(folio))
		return false;
	settled = umig_folio_node(folio) == place->node;
	folio_unlock(folio);
	return settled;
}

/* What a node says of its page; in a debug build it may lie. */
static unsigned long as_read(unsigned long kpfn)
{
	return umig_broken(UMIG_BREAK_LAYOUT) ? ~kpfn : kpfn;
}

/* Returns false if there is nothing at @link that looks like a sharer. */
static bool read_sharer(const struct umig_node *node,
			const struct hlist_node *link,
			struct umig_sharer *sharer)
{
	const void *at = (const void *)link -
			 offsetof(struct umig_sharer, hlist);

	if (umig_broken(UMIG_BREAK_SHARER))
		at += sizeof(long);
	return !copy_from_kernel_nofault(sharer, at, sizeof(*sharer)) &&
	       sharer->head == node &&
	       (sharer->address & ~PAGE_MASK) == UMIG_SHARER_STABLE &&
	       umig_mm_mergeable(sharer->mm);
}

/*
 * The folio is the node's, referenced and locked.  A reference may keep the page
 * that the content has been moved from, too: the node names another one then,
 * and may be another one by now, with other sharers.
 */
static int count_sharers(const struct umig_place *place, umig_sharer_fn is_it,
			 const void *arg, int max)
{
	const struct umig_node *node = place->node;
	const struct hlist_node *link;
	struct umig_sharer sharer;
	struct umig_node copy;
	int left, nr = 0;

	if (copy_from_kernel_nofault(&copy, node, sizeof(copy)))
		return -EPROTO;
	if (copy.kpfn != place->pfn)
		return 0;
	left = copy.hlist_len;
	for (link = copy.hlist.first; link; link = sharer.hlist.next) {
		if (left-- <= 0 || !read_sharer(node, link, &sharer))
			return -EPROTO;
		if (is_it(sharer.mm, arg) && ++nr == max)
			break;
		cond_resched();
	}
	return nr;
}

/**
 * umig_place_count_sharers() - How many of those who share a page are such?
 * @place: node and page.
 * @folio: the page, with the caller's reference.
 * @is_it: the question; it gets an mm_struct's address and must not follow it.
 * @arg: for it.
 * @max: so many are enough, above 0.
 *
 * Sleeps; looks at no more than KSM's max_page_sharing sharers.
 *
 * Return: how many; 0: none of them, or the page isn't the node's any more;
 * -EBUSY: somebody has locked the page; -EPROTO: the list isn't laid out as this
 * module knows it.
 */
int umig_place_count_sharers(const struct umig_place *place,
			     struct folio *folio, umig_sharer_fn is_it,
			     const void *arg, int max)
{
	int ret = 0;

	if (!folio_trylock(folio))
		return -EBUSY;
	if (umig_folio_node(folio) == place->node)
		ret = count_sharers(place, is_it, arg, max);
	folio_unlock(folio);
	return ret;
}

/**
 * umig_append_args() - Decode a call of stable_tree_append().
 * @regs: registers at its entry.
 * @place: out: the node, and for a new node its page.
 *
 * KSM holds the page's lock.  That a new node's page points back to the node
 * costs two loads to check and would fail at once if the layout that this file
 * believes in were wrong.  So would looking at the sharer that is there already.
 */
enum umig_append umig_append_args(struct pt_regs *regs,
				  struct umig_place *place)
{
	struct umig_node *node = (void *)regs_get_kernel_argument(regs, 1);
	struct umig_sharer sharer;
	struct page *page;

	place->node = node;
	place->pfn = 0;
	if (!hlist_empty(&node->hlist))
		return read_sharer(node, node->hlist.first, &sharer) ?
		       UMIG_APPEND_SHARER : UMIG_APPEND_ODD;
	place->pfn = as_read(READ_ONCE(node->kpfn));
	if (!pfn_valid(place->pfn))
		return UMIG_APPEND_ALIEN;
	page = pfn_to_page(place->pfn);
	if (folio_mapping_word(small_folio(page)) != node_mapping_word(node))
		return UMIG_APPEND_ALIEN;
	return UMIG_APPEND_NEW;
}

/**
 * umig_append_mapping() - Whose mapping a call of stable_tree_append() adds.
 * @regs: registers at its entry.
 * @addr: out: where.
 *
 * Return: the process's memory.
 */
const struct mm_struct *umig_append_mapping(struct pt_regs *regs,
					    unsigned long *addr)
{
	const struct umig_sharer *sharer =
		(void *)regs_get_kernel_argument(regs, 0);

	*addr = sharer->address & PAGE_MASK;
	return sharer->mm;
}

/**
 * umig_remove_args() - Decode a call of remove_node_from_stable_tree().
 * @regs: registers at its entry.
 *
 * Return: the node that KSM drops.
 */
struct umig_node *umig_remove_args(struct pt_regs *regs)
{
	return (void *)regs_get_kernel_argument(regs, 0);
}

/**
 * umig_migrate_args() - Decode a call of folio_migrate_ksm().
 * @regs: registers at its entry.
 * @place: out: the node and its new page.
 *
 * Both folios are locked, and the content has been copied.
 *
 * Return: false if the folio has no node any more.
 */
bool umig_migrate_args(struct pt_regs *regs, struct umig_place *place)
{
	struct folio *to = (void *)regs_get_kernel_argument(regs, 0);
	struct folio *from = (void *)regs_get_kernel_argument(regs, 1);

	place->node = umig_folio_node(from);
	place->pfn = folio_pfn(to);
	return place->node;
}

static void scan_node(struct umig_scan *scan, int nid)
{
	scan->nid = nid;
	if (nid >= MAX_NUMNODES)
		return;
	scan->pfn = node_start_pfn(nid);
	scan->end = node_end_pfn(nid);
}

/** umig_scan_start() - Begin at the first page. */
void umig_scan_start(struct umig_scan *scan)
{
	memset(scan, 0, sizeof(*scan));
	scan_node(scan, first_online_node);
}

/** umig_scan_done() - Has every page been looked at? */
bool umig_scan_done(const struct umig_scan *scan)
{
	return scan->nid >= MAX_NUMNODES;
}

/*
 * Is this the page of a living node?  The reference keeps the page from being
 * freed between the check of its kind and that of its node; during migration
 * the new folio has the mapping before it has the content, but the node names
 * it only after.
 */
static bool scan_page(struct umig_scan *scan, struct umig_place *place)
{
	struct folio *folio = small_folio(pfn_to_page(place->pfn));
	unsigned long kpfn;
	bool found = false;

	place->node = umig_folio_node(folio);
	if (likely(!place->node))
		return false;
	folio = umig_place_get_folio(place);
	if (IS_ERR(folio))
		return false;
	if (!copy_from_kernel_nofault(&kpfn, &place->node->kpfn, sizeof(kpfn)))
		found = as_read(kpfn) == place->pfn;
	folio_put(folio);
	if (found)
		scan->agree++;
	else
		scan->disagree++;
	return found;
}

/**
 * umig_scan_step() - Look at a few pages more.
 * @scan: not done.
 * @found: out: the KSM pages among them.
 *
 * A step never crosses a boundary at which memory may begin or end to be
 * online, so looking up its first page is enough.  Sleeps for the lock only.
 *
 * Return: how many were found.
 */
unsigned int umig_scan_step(struct umig_scan *scan,
			    struct umig_place found[UMIG_SCAN_PAGES])
{
	unsigned long stop;
	unsigned int nr = 0;

	BUILD_BUG_ON(PAGES_PER_SUBSECTION % UMIG_SCAN_PAGES);
	stop = min(scan->end, ALIGN(scan->pfn + 1, UMIG_SCAN_PAGES));

	umig_pages_lock();
	if (umig_pfn_to_page(scan->pfn)) {
		for (; scan->pfn < stop; scan->pfn++) {
			found[nr].pfn = scan->pfn;
			if (scan_page(scan, &found[nr]))
				nr++;
		}
	}
	umig_pages_unlock();

	scan->pfn = stop;
	if (scan->pfn >= scan->end)
		scan_node(scan, next_online_node(scan->nid));
	return nr;
}
