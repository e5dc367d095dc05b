// SPDX-License-Identifier: GPL-2.0
/*
 * The to-do: see todo.h.
 */
#include "migrate/todo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mem/huge.h"

int todo_init(struct todo *t, const struct memslots *ms)
{
	*t = (struct todo){
		.ms = ms,
		.now = bitmap_alloc(ms->pages),
		.next = bitmap_alloc(ms->pages),
	};
	return t->now && t->next ? 0 : -ENOMEM;
}

void todo_exit(struct todo *t)
{
	free(t->now);
	free(t->next);
}

void todo_begin_round(struct todo *t)
{
	uint64_t *swap = t->now;

	t->now = t->next;
	t->next = swap;
	memset(t->next, 0, BITMAP_WORDS(t->ms->pages) * sizeof(*t->next));
	t->round++;
	t->cursor = 0;
}

void todo_leave_round(struct todo *t)
{
	uint64_t i;

	for (i = 0; i < BITMAP_WORDS(t->ms->pages); i++) {
		t->next[i] |= t->now[i];
		t->now[i] = 0;
	}
}

/* The first page that is still of this round, or the end of memory. */
static uint64_t find_first(struct todo *t)
{
	uint64_t pages = t->ms->pages;
	uint64_t i = bitmap_next(t->now, pages, t->cursor);

	while (i < pages && bitmap_test(t->next, i)) {
		bitmap_clear(t->now, i);
		i = bitmap_next(t->now, pages, i + 1);
	}
	return i;
}

bool todo_ends_batch(const struct todo *t)
{
	return t->round == 1 && t->cursor % HUGE_PAGES == 0;
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Where a run from @first on ends at the latest: with its slot, or batch. */
static uint64_t run_limit(const struct todo *t, uint64_t first,
			  unsigned int max)
{
	const struct memslot *slot =
		memslots_find(t->ms, memslots_gfn(t->ms, first));
	uint64_t end = min(first + max, slot->index + slot->pages);

	if (t->round == 1)
		end = min(end, (first / HUGE_PAGES + 1) * HUGE_PAGES);
	return end;
}

unsigned int todo_take(struct todo *t, unsigned int max, uint64_t *first)
{
	uint64_t end;

	*first = t->cursor = find_first(t);
	if (*first == t->ms->pages)
		return 0;
	end = run_limit(t, *first, max);
	end = bitmap_next_clear(t->now, end, *first);
	end = bitmap_next(t->next, end, *first);
	bitmap_clear_run(t->now, *first, end - *first);
	t->cursor = end;
	return end - *first;
}
