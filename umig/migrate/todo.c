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

static bool ends_batch(const struct todo *t, uint64_t index)
{
	return t->round == 1 && index % HUGE_PAGES == 0;
}

bool todo_ends_batch(const struct todo *t)
{
	return ends_batch(t, t->cursor);
}

unsigned int todo_take(struct todo *t, unsigned int max, uint64_t *first)
{
	const struct memslots *ms = t->ms;
	const struct memslot *slot;
	uint64_t i = find_first(t);
	unsigned int n = 0;

	*first = i;
	t->cursor = i;
	if (i == ms->pages)
		return 0;
	slot = memslots_find(ms, memslots_gfn(ms, i));
	while (n < max && i < slot->index + slot->pages &&
	       bitmap_test(t->now, i) && !bitmap_test(t->next, i)) {
		bitmap_clear(t->now, i);
		n++;
		i++;
		if (ends_batch(t, i))
			break;
	}
	t->cursor = i;
	return n;
}
