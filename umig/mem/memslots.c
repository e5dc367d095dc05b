// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory as memslots: see memslots.h.
 */
#include "mem/memslots.h"

#include <assert.h>
#include <errno.h>

#define GFN_LIMIT (1ULL << 40)

int memslots_add(struct memslots *ms, uint64_t gfn, uint64_t pages, void *hva)
{
	const struct memslot *last = ms->nr ? &ms->slot[ms->nr - 1] : NULL;

	if (!pages || pages > GFN_LIMIT || gfn > GFN_LIMIT - pages ||
	    (uintptr_t)hva % UMIG_PAGE_SIZE)
		return -EINVAL;
	if (last && gfn < last->gfn + last->pages)
		return -EINVAL;
	if (ms->nr == MEMSLOTS_MAX)
		return -ENOSPC;
	ms->slot[ms->nr++] = (struct memslot){
		.gfn = gfn,
		.pages = pages,
		.hva = hva,
		.index = ms->pages,
	};
	ms->pages += pages;
	return 0;
}

const struct memslot *memslots_find(const struct memslots *ms, uint64_t gfn)
{
	const struct memslot *s;

	for (s = ms->slot; s < ms->slot + ms->nr; s++)
		if (gfn >= s->gfn && gfn - s->gfn < s->pages)
			return s;
	return NULL;
}

bool memslots_has_run(const struct memslots *ms, uint64_t gfn, uint64_t pages)
{
	const struct memslot *s = memslots_find(ms, gfn);

	return s && pages && pages <= s->pages - (gfn - s->gfn);
}

uint64_t memslots_index(const struct memslots *ms, uint64_t gfn)
{
	const struct memslot *s = memslots_find(ms, gfn);

	assert(s);
	return s->index + (gfn - s->gfn);
}

uint64_t memslots_gfn(const struct memslots *ms, uint64_t index)
{
	const struct memslot *s = ms->slot;

	assert(index < ms->pages);
	while (index - s->index >= s->pages)
		s++;
	return s->gfn + (index - s->index);
}

void *memslots_hva(const struct memslots *ms, uint64_t gfn)
{
	const struct memslot *s = memslots_find(ms, gfn);

	return s ? s->hva + ((gfn - s->gfn) << UMIG_PAGE_SHIFT) : NULL;
}
