// SPDX-License-Identifier: GPL-2.0
/*
 * Three kprobes tell what happens to KSM's stable tree:
 *
 *   stable_tree_append	a new node, if it has no user yet; a sharer
 *   remove_node_from_stable_tree	a node goes
 *   folio_migrate_ksm	a node's content has moved to another page
 *
 * A handler runs in the middle of KSM, with preemption off and KSM's locks
 * held.  It only records: a removal unlinks the entry at once, a new node is
 * put into a queue for the worker.  It doesn't allocate, sleep, wake anybody
 * directly, or take a lock other than this module's raw spinlocks.  A queue
 * that is full loses the event, but not the fact: it asks for a scan of all
 * memory, and counts.
 *
 * What the handlers don't see, health.c notices: hits that kprobes has dropped,
 * and hooks that have been switched off.
 *
 * All three or none: an index that hears of a part of what happens is trusted
 * no more than one that hears of nothing.  Without them the module works by
 * scans (health.c).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "hook.h"

#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "adopt.h"
#include "crosscheck.h"
#include "debug.h"
#include "group.h"
#include "hasher.h"
#include "index.h"
#include "probe.h"
#include "stable_tree.h"
#include "stats.h"

/* A ring: head and tail run freely, the length is a power of two. */
static struct {
	raw_spinlock_t lock;
	struct umig_place *slots;
	unsigned int len;
	unsigned int head;	/* next to pop */
	unsigned int tail;	/* next to push */
} queue = {
	.lock = __RAW_SPIN_LOCK_UNLOCKED(queue.lock),
};

/* A node did not look as this module believes; never cleared. */
static bool alien;

/* From umig_hook_register() on. */
static bool attached;

static void push(const struct umig_place *place)
{
	unsigned long flags;
	bool full;

	raw_spin_lock_irqsave(&queue.lock, flags);
	full = queue.tail - queue.head == queue.len;
	if (!full)
		queue.slots[queue.tail++ & (queue.len - 1)] = *place;
	raw_spin_unlock_irqrestore(&queue.lock, flags);

	if (full) {
		umig_count(UMIG_QUEUE_LOST);
		umig_hasher_want_scan();
	} else {
		umig_hasher_kick();
	}
}

/**
 * umig_hook_peek() - The oldest event; it stays until umig_hook_consume().
 * @place: out: a node that was new, or moved, when the event happened.
 *
 * For the one worker only.  In two steps, so that an event is counted as
 * waiting until its entry is.
 *
 * Return: false if there is none.
 */
bool umig_hook_peek(struct umig_place *place)
{
	bool some;

	raw_spin_lock_irq(&queue.lock);
	some = queue.head != queue.tail;
	if (some)
		*place = queue.slots[queue.head & (queue.len - 1)];
	raw_spin_unlock_irq(&queue.lock);
	return some;
}

/** umig_hook_consume() - Done with the event. */
void umig_hook_consume(void)
{
	raw_spin_lock_irq(&queue.lock);
	queue.head++;
	raw_spin_unlock_irq(&queue.lock);
}

/** umig_hook_queue_len() - Events that wait; a snapshot. */
unsigned int umig_hook_queue_len(void)
{
	return READ_ONCE(queue.tail) - READ_ONCE(queue.head);
}

/*
 * An entry under the address of a new node is left from an older one whose
 * removal was missed.  This is the second, independent guard against it.
 */
static void node_is_new(const struct umig_place *place)
{
	umig_count(UMIG_HOOK_INSERTS);
	if (!umig_broken(UMIG_BREAK_INSERT))
		umig_index_remove(place->node);
	else if (umig_index_has(place->node))
		return;
	push(place);
}

static int on_append(struct kprobe *kp, struct pt_regs *regs)
{
	const struct mm_struct *mm;
	struct umig_place place;
	unsigned long addr;

	mm = umig_append_mapping(regs, &addr);
	umig_adopt_note(mm, addr);
	switch (umig_append_args(regs, &place)) {
	case UMIG_APPEND_NEW:
		node_is_new(&place);
		break;
	case UMIG_APPEND_ALIEN:
		WRITE_ONCE(alien, true);
		break;
	case UMIG_APPEND_ODD:
		umig_group_distrust();
		break;
	case UMIG_APPEND_SHARER:
		break;
	}
	return 0;
}

static int on_remove(struct kprobe *kp, struct pt_regs *regs)
{
	umig_count(UMIG_HOOK_REMOVES);
	if (!umig_broken(UMIG_BREAK_REMOVE))
		umig_index_remove(umig_remove_args(regs));
	return 0;
}

static int on_migrate(struct kprobe *kp, struct pt_regs *regs)
{
	struct umig_place place;

	umig_count(UMIG_HOOK_MOVES);
	if (!umig_migrate_args(regs, &place))
		return 0;
	/* No entry: maybe it is being hashed from its old page just now. */
	if (!umig_index_move(&place))
		push(&place);
	return 0;
}

#define NR_HOOKS 3

/* Allocated at load; from one that can't be detached on the kernel's. */
static struct kprobe *hooks;
static struct kprobe *hook_list[NR_HOOKS];
static bool stuck;

static void hook_set(unsigned int i, const char *function,
		     kprobe_pre_handler_t handler)
{
	hooks[i].symbol_name = function;
	hooks[i].pre_handler = handler;
	hook_list[i] = &hooks[i];
}

static void hooks_set(void)
{
	hook_set(0, umig_ksm_append, on_append);
	hook_set(1, umig_ksm_remove, on_remove);
	hook_set(2, umig_ksm_migrate, on_migrate);
	if (umig_broken(UMIG_BREAK_SYMBOL))
		hooks[1].symbol_name = "umig_no_such_function";
}

/** umig_hook_missed() - Hits that kprobes has dropped, of all hooks. */
unsigned long umig_hook_missed(void)
{
	unsigned long missed = 0;
	size_t i;

	for (i = 0; i < NR_HOOKS; i++)
		missed += READ_ONCE(hooks[i].nmissed);
	return missed;
}

/** umig_hook_alien() - Has a node been seen that isn't laid out as known? */
bool umig_hook_alien(void)
{
	return READ_ONCE(alien);
}

/** umig_hook_set_alien() - Such a node has been found by a scan. */
void umig_hook_set_alien(void)
{
	WRITE_ONCE(alien, true);
}

/* Not now or not ever?  -EINVAL: there may be no kprobe on that function. */
static bool never_works(int err)
{
	return err == -ENOENT || err == -EINVAL || err == -EOPNOTSUPP;
}

/**
 * umig_hook_register() - Attach; events may come before this returns.
 *
 * Return: 0; -EOPNOTSUPP: this kernel has no such functions, or no kprobes on
 * them, and won't have; another -errno.  The reason is logged.
 */
int umig_hook_register(void)
{
	size_t i;
	int err;

	for (i = 0; i < NR_HOOKS; i++) {
		err = register_kprobe(&hooks[i]);
		if (!err)
			continue;
		pr_warn("can't hook %s of the kernel's KSM: %d%s\n",
			hooks[i].symbol_name, err, err == -ENOENT ?
			": this kernel has no such function" : "");
		stuck = !umig_probes_unregister(hook_list, i);
		return never_works(err) ? -EOPNOTSUPP : err;
	}
	attached = true;
	umig_crosscheck_init();
	return 0;
}

/** umig_hook_unregister() - Detach; no handler runs any more on return. */
void umig_hook_unregister(void)
{
	if (!attached)
		return;
	umig_crosscheck_exit();
	stuck = !umig_probes_unregister(hook_list, NR_HOOKS);
	attached = false;
}

/**
 * umig_hook_init() - Allocate the hooks and the queue.
 * @queue_len: events that it holds, rounded up to a power of two.
 */
int umig_hook_init(unsigned int queue_len)
{
	hooks = kcalloc(NR_HOOKS, sizeof(*hooks), GFP_KERNEL);
	if (!hooks)
		return -ENOMEM;
	queue.len = roundup_pow_of_two(queue_len);
	queue.slots = kvmalloc_array(queue.len, sizeof(*queue.slots),
				     GFP_KERNEL);
	if (!queue.slots) {
		kfree(hooks);
		return -ENOMEM;
	}
	hooks_set();
	return 0;
}

void umig_hook_exit(void)
{
	if (!stuck)
		kfree(hooks);
	kvfree(queue.slots);
}
