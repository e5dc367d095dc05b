/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The to-do: which pages are to go out in this round and which in the next, and
 * in what runs they are taken.  By dense index; it knows nothing of what is in
 * them, nor of who sends them.  One thread.
 *
 *   written, refused --add--> next --begin--> now --take--> a run, to be sent
 *                              ^               |
 *                              \-- left over --/
 *
 * What is written again before it was taken waits for the next round.
 */
#ifndef UMIG_MIGRATE_TODO_H
#define UMIG_MIGRATE_TODO_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/bitmap.h"
#include "mem/memslots.h"

/**
 * struct todo - Its state.
 * @ms: guest memory.
 * @round: that is open, from 1; 0: none has begun.
 * @now: pages to be taken in this round.
 * @next: pages of the next, so far.
 * @cursor: nothing of @now is before it.
 */
struct todo {
	const struct memslots *ms;
	uint32_t round;
	uint64_t *now;
	uint64_t *next;
	uint64_t cursor;
};

/** todo_init() - Nothing is to be done.  0 or -ENOMEM; then todo_exit(), too. */
int todo_init(struct todo *t, const struct memslots *ms);
void todo_exit(struct todo *t);

/** todo_begin_round() - What was of the next round is of this one. */
void todo_begin_round(struct todo *t);

/** todo_leave_round() - What is left of this round is of the next. */
void todo_leave_round(struct todo *t);

/** todo_add() - @pages from @index on are of the next round. */
static inline void todo_add(struct todo *t, uint64_t index, uint64_t pages)
{
	bitmap_set_run(t->next, index, pages);
}

/**
 * todo_take() - Take the next run: pages of one slot, side by side.
 * @max: at most so many.
 * @first: set to its first page.
 *
 * Return: how many; 0: nothing is left of this round.
 */
unsigned int todo_take(struct todo *t, unsigned int max, uint64_t *first);

/**
 * todo_ends_batch() - Whether a batch had better end with what was taken last.
 *
 * At first a batch is what a huge page has, so that dense memory can be told.
 */
bool todo_ends_batch(const struct todo *t);

/** todo_count() - Pages left of this round. */
static inline uint64_t todo_count(const struct todo *t)
{
	return bitmap_count(t->now, t->ms->pages);
}

/** todo_count_next() - Pages of the next round, so far. */
static inline uint64_t todo_count_next(const struct todo *t)
{
	return bitmap_count(t->next, t->ms->pages);
}

#endif
