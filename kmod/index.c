// SPDX-License-Identifier: GPL-2.0
/*
 * The index: digest <-> page.  Called by the hooks (which only unlink and
 * update), by the hashing worker (which adds and hashes), and by readers on
 * behalf of RANGE, CONFIRM and read(2).
 */
#include "index.h"

#include <linux/string.h>

#include "hotplug.h"
#include "index_private.h"
#include "stats.h"
#include "trace.h"

/**
 * DOC: Theory of operation
 *
 *	     by node ──▶ ┌────────────────────────────┐ ◀── by digest
 *	  (all entries)  │ node, pfn                  │   (hashed entries)
 *	                 │ digest, generation         │
 *	                 └────────────────────────────┘
 *	                   on one list: todo, hashed or dead
 *
 * An entry stands for a stable node, not for a page: while the node lives, each
 * folio that points to it has the same content (stable_tree.c says why).  The
 * pfn only says where to look first.
 *
 * An entry is born without a digest, on the todo list.  Hashing replaces it by
 * a new one with a digest: but for the pfn an entry that readers can reach
 * never changes, so that they need no lock.
 *
 * A digest counts only if the entry's generation is the index's.  To declare
 * all of them void (a new key, hooks that missed something) is to increment
 * the generation and to move the hashed list to the todo list: constant time,
 * atomic, and the entries still serve to find the pages again.
 *
 * An entry that the hooks unlink goes to the dead list, because a hook must
 * not free; the worker hands it to RCU from there.
 *
 * Locking: the lock is raw and taken with interrupts off, since hooks take it in
 * the middle of KSM; it is the innermost lock.  Every operation under it is
 * constant time or bounded by a hash chain.
 *
 * Removal against insertion: KSM clears folio->mapping before it drops the
 * node, and the hook takes the lock after that.  Insertion checks the
 * mapping under the lock.  So either the check sees the cleared mapping, or the hook comes
 * later and finds the entry.
 */

struct umig_index umig_idx = {
	.lock = __RAW_SPIN_LOCK_UNLOCKED(umig_idx.lock),
	.todo = LIST_HEAD_INIT(umig_idx.todo),
	.hashed = LIST_HEAD_INIT(umig_idx.hashed),
	.dead = LIST_HEAD_INIT(umig_idx.dead),
	.generation = 1,
};

static void link_locked(struct umig_entry *e)
{
	hlist_add_head_rcu(&e->by_node, umig_node_bucket(e->node));
	if (!e->generation) {
		list_add_tail(&e->link, &umig_idx.todo);
		umig_idx.nr_todo++;
		return;
	}
	hlist_add_head_rcu(&e->by_digest, umig_digest_bucket(e->digest));
	list_add_tail(&e->link, &umig_idx.hashed);
	umig_idx.nr_hashed++;
}

/**
 * umig_entry_unlink() - Take an entry from its readers; umig_index_reap() frees
 * it.
 * @e: the entry; under the index's lock.
 */
void umig_entry_unlink(struct umig_entry *e)
{
	hlist_del_rcu(&e->by_node);
	if (e->generation)
		hlist_del_rcu(&e->by_digest);
	list_move_tail(&e->link, &umig_idx.dead);
	if (e->generation == umig_idx.generation)
		umig_idx.nr_hashed--;
	else
		umig_idx.nr_todo--;
}

/**
 * umig_index_remove() - KSM drops a node: its entry must never be seen again.
 * @node: may be unknown.
 */
void umig_index_remove(struct umig_node *node)
{
	unsigned long flags;
	struct umig_entry *e;

	raw_spin_lock_irqsave(&umig_idx.lock, flags);
	e = umig_entry_find(node);
	if (e)
		umig_entry_unlink(e);
	raw_spin_unlock_irqrestore(&umig_idx.lock, flags);
}

/** umig_index_has() - Is there an entry, hashed or not? */
bool umig_index_has(struct umig_node *node)
{
	bool has;

	rcu_read_lock();
	has = umig_entry_find(node);
	rcu_read_unlock();
	return has;
}

/**
 * umig_index_move() - A node's content has been moved to another page.
 * @place: the node and its new page.
 *
 * Return: false if the node has no entry.
 */
bool umig_index_move(const struct umig_place *place)
{
	unsigned long flags;
	struct umig_entry *e;

	raw_spin_lock_irqsave(&umig_idx.lock, flags);
	e = umig_entry_find(place->node);
	if (e)
		WRITE_ONCE(e->pfn, place->pfn);
	raw_spin_unlock_irqrestore(&umig_idx.lock, flags);
	return e;
}

/*
 * An entry that is there already knows better where its page is, because the
 * hook may have moved it since @place was read, unless what it knows is wrong:
 * then it may be of an older node, and goes.
 */
static bool note_locked(const struct umig_place *place, struct umig_entry *new)
{
	struct umig_place known;
	struct umig_entry *e = umig_entry_find(place->node);

	if (!umig_place_is_current(place))
		return false;
	if (e) {
		known = (struct umig_place){ .node = e->node, .pfn = e->pfn };
		if (umig_place_is_current(&known))
			return false;
		umig_entry_unlink(e);
	}
	if (umig_idx.nr_todo + umig_idx.nr_hashed >= umig_idx.max_live)
		umig_entry_evict();
	link_locked(new);
	return true;
}

static bool is_noted(const struct umig_place *place)
{
	struct umig_entry *e;
	bool noted;

	rcu_read_lock();
	e = umig_entry_find(place->node);
	noted = e && READ_ONCE(e->pfn) == place->pfn;
	rcu_read_unlock();
	return noted;
}

/**
 * umig_index_note() - A node has been seen: remember to hash its page.
 * @place: where; if it isn't true any more nothing happens.
 *
 * Return: 0 or -ENOMEM.
 */
int umig_index_note(const struct umig_place *place)
{
	struct umig_entry *new;
	unsigned long flags;
	bool linked;

	if (is_noted(place))
		return 0;
	new = umig_entry_alloc(place);
	if (!new)
		return -ENOMEM;
	umig_pages_lock();
	raw_spin_lock_irqsave(&umig_idx.lock, flags);
	linked = note_locked(place, new);
	raw_spin_unlock_irqrestore(&umig_idx.lock, flags);
	umig_pages_unlock();
	if (!linked)
		umig_entry_free(new);
	return 0;
}

/**
 * umig_index_next() - Which page is to be hashed next?
 * @place: out.
 *
 * The entry stays where it is until it is stored, deferred or dropped: there
 * is one worker.
 *
 * Return: false: none.
 */
bool umig_index_next(struct umig_place *place)
{
	unsigned long flags;
	struct umig_entry *e;

	raw_spin_lock_irqsave(&umig_idx.lock, flags);
	e = list_first_entry_or_null(&umig_idx.todo, struct umig_entry, link);
	if (e)
		*place = (struct umig_place){ .node = e->node, .pfn = e->pfn };
	raw_spin_unlock_irqrestore(&umig_idx.lock, flags);
	return e;
}

/** umig_index_defer() - Not now: put it at the end of the list. */
void umig_index_defer(const struct umig_place *place)
{
	unsigned long flags;
	struct umig_entry *e;

	raw_spin_lock_irqsave(&umig_idx.lock, flags);
	e = umig_entry_find(place->node);
	if (e && e->generation != umig_idx.generation)
		list_move_tail(&e->link, &umig_idx.todo);
	raw_spin_unlock_irqrestore(&umig_idx.lock, flags);
}

/**
 * umig_index_drop() - An entry has led nowhere.
 * @place: as the entry said; if it says otherwise by now it stays.
 * @even_if_current: also if the page does belong to the node.
 *
 * Under umig_pages_lock().
 */
void umig_index_drop(const struct umig_place *place, bool even_if_current)
{
	unsigned long flags;
	struct umig_entry *e;

	raw_spin_lock_irqsave(&umig_idx.lock, flags);
	e = umig_entry_find(place->node);
	if (e && e->pfn == place->pfn &&
	    (even_if_current || !umig_place_is_current(place)))
		umig_entry_unlink(e);
	raw_spin_unlock_irqrestore(&umig_idx.lock, flags);
}

/**
 * umig_index_sweep() - Drop digests whose page isn't their node's any more.
 * @nr: of so many, which go to the end of the list.
 *
 * For where the hooks don't do it.
 */
void umig_index_sweep(unsigned int nr)
{
	struct umig_place place;
	unsigned long flags;
	struct umig_entry *e;

	umig_pages_lock();
	raw_spin_lock_irqsave(&umig_idx.lock, flags);
	while (nr-- && !list_empty(&umig_idx.hashed)) {
		e = list_first_entry(&umig_idx.hashed, struct umig_entry, link);
		place = (struct umig_place){ .node = e->node, .pfn = e->pfn };
		if (umig_place_is_current(&place))
			list_move_tail(&e->link, &umig_idx.hashed);
		else
			umig_entry_unlink(e);
	}
	raw_spin_unlock_irqrestore(&umig_idx.lock, flags);
	umig_pages_unlock();
}

/**
 * umig_index_store() - Record a digest.
 * @place: as given by umig_index_next().
 * @folio: the folio that was hashed; the caller holds a reference since before.
 * @digest: of its content.
 * @generation: read together with the key, before hashing.
 *
 * The folio has pointed to the node when the caller took it; that it still
 * does is checked under the lock, see "Removal against insertion".  The entry
 * may have been moved by the hook meanwhile: its pfn is the better one.
 *
 * Return: 0; -ESTALE: the node, the entry or the key is gone; -ENOMEM.
 */
int umig_index_store(const struct umig_place *place, struct folio *folio,
		     const u8 *digest, u64 generation)
{
	struct umig_entry *new = umig_entry_alloc(place);
	unsigned long flags;
	int err = -ESTALE;
	struct umig_entry *old;

	if (!new)
		return -ENOMEM;
	new->generation = generation;
	memcpy(new->digest, digest, sizeof(new->digest));

	raw_spin_lock_irqsave(&umig_idx.lock, flags);
	old = umig_entry_find(place->node);
	if (old && generation == umig_idx.generation &&
	    umig_folio_node(folio) == place->node) {
		new->pfn = old->pfn;
		umig_entry_unlink(old);
		link_locked(new);
		err = 0;
	}
	raw_spin_unlock_irqrestore(&umig_idx.lock, flags);
	if (err)
		umig_entry_free(new);
	return err;
}

/**
 * umig_index_invalidate() - No digest counts any more; all pages are to be
 * hashed again.
 *
 * Return: the new generation.
 */
u64 umig_index_invalidate(void)
{
	unsigned long flags;
	u64 generation;

	raw_spin_lock_irqsave(&umig_idx.lock, flags);
	generation = umig_idx.generation + 1;
	WRITE_ONCE(umig_idx.generation, generation);
	list_splice_tail_init(&umig_idx.hashed, &umig_idx.todo);
	umig_idx.nr_todo += umig_idx.nr_hashed;
	umig_idx.nr_hashed = 0;
	raw_spin_unlock_irqrestore(&umig_idx.lock, flags);
	trace_umig_generation(generation);
	return generation;
}

u64 umig_index_generation(void)
{
	return READ_ONCE(umig_idx.generation);
}
