// SPDX-License-Identifier: GPL-2.0
/*
 * Several page sources as one: each is offered what those before it don't hold.
 * A source that fails holds nothing, and its pages are refused; the others go
 * on.
 *
 * A lease is one of a source's own, with the source's number, + 1, on top:
 *
 *	63       56 55                                 0
 *	| source+1 |          the source's lease         |
 */
#include "mem/page_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mem/domain_key.h"

#define SOURCE_SHIFT 56
#define LEASE_MASK ((1ULL << SOURCE_SHIFT) - 1)

struct many_pages {
	struct page_source ps;
	unsigned int nr;
	struct page_source *list[PAGE_SOURCES_MAX];
};

_Static_assert(PAGE_SOURCES_MAX < 255, "fits on top of a lease");

/** struct question - Digests that nobody holds yet, and whose they are. */
struct question {
	digest_t digests[PLACE_BATCH];
	uint64_t leases[PLACE_BATCH];
	unsigned int at[PLACE_BATCH];
	unsigned int nr;
};

static void collect(struct question *q, const digest_t *digests,
		    unsigned int nr, const uint64_t *leases)
{
	unsigned int i;

	for (i = 0, q->nr = 0; i < nr; i++) {
		if (leases[i])
			continue;
		q->digests[q->nr] = digests[i];
		q->at[q->nr++] = i;
	}
}

static int many_offer(struct page_source *ps, const digest_t *digests,
		      unsigned int nr, uint64_t *leases)
{
	struct many_pages *mp = (struct many_pages *)ps;
	unsigned int s, i;
	struct question q;

	if (nr > PLACE_BATCH)
		return -EINVAL;
	memset(leases, 0, nr * sizeof(*leases));
	for (s = 0; s < mp->nr; s++) {
		collect(&q, digests, nr, leases);
		if (!q.nr || mp->list[s]->offer(mp->list[s], q.digests, q.nr,
						q.leases))
			continue;
		for (i = 0; i < q.nr; i++)
			if (q.leases[i] && q.leases[i] <= LEASE_MASK)
				leases[q.at[i]] =
					(s + 1ULL) << SOURCE_SHIFT |
					q.leases[i];
	}
	return 0;
}

/** struct order - Items of one source, and where they were. */
struct order {
	struct place_item items[PLACE_BATCH];
	unsigned int at[PLACE_BATCH];
	unsigned int nr;
};

static void place_of(struct many_pages *mp, unsigned int s,
		     struct place_item *items, unsigned int nr)
{
	struct order o;
	unsigned int i;
	int rc;

	for (i = 0, o.nr = 0; i < nr; i++) {
		if (items[i].lease >> SOURCE_SHIFT != s + 1ULL)
			continue;
		o.items[o.nr] = items[i];
		o.items[o.nr].lease &= LEASE_MASK;
		o.at[o.nr++] = i;
	}
	if (!o.nr)
		return;
	mp->ps.shared -= mp->list[s]->shared;
	rc = mp->list[s]->place(mp->list[s], o.items, o.nr);
	mp->ps.shared += mp->list[s]->shared;
	for (i = 0; i < o.nr; i++)
		items[o.at[i]].result = rc ? rc : o.items[i].result;
}

static int many_place(struct page_source *ps, struct place_item *items,
		      unsigned int nr)
{
	struct many_pages *mp = (struct many_pages *)ps;
	unsigned int i;

	if (nr > PLACE_BATCH)
		return -EINVAL;
	for (i = 0; i < nr; i++)
		items[i].result = -ENOENT;
	for (i = 0; i < mp->nr; i++)
		place_of(mp, i, items, nr);
	return 0;
}

static void many_release_all(struct page_source *ps)
{
	struct many_pages *mp = (struct many_pages *)ps;
	unsigned int i;

	for (i = 0; i < mp->nr; i++)
		mp->list[i]->release_all(mp->list[i]);
}

static void many_close(struct page_source *ps)
{
	struct many_pages *mp = (struct many_pages *)ps;

	while (mp->nr--)
		mp->list[mp->nr]->close(mp->list[mp->nr]);
	free(mp);
}

int page_source_many_open(struct page_source **out,
			  struct page_source *const *list, unsigned int nr,
			  struct err *err)
{
	struct many_pages *mp;
	unsigned int i;
	int rc = 0;

	if (!nr || nr > PAGE_SOURCES_MAX)
		return err_set(err, -EINVAL, "1 to %d page sources",
			       PAGE_SOURCES_MAX);
	for (i = 1; i < nr && !rc; i++)
		rc = domain_key_same(list[0]->name, list[0]->key_id,
				     list[i]->name, list[i]->key_id, err);
	if (rc)
		return rc;
	mp = calloc(1, sizeof(*mp));
	if (!mp)
		return err_set(err, -ENOMEM, "out of memory");
	while (mp->nr < nr) {
		mp->list[mp->nr] = list[mp->nr];
		mp->ps.shares |= list[mp->nr]->shares;
		mp->nr++;
	}
	memcpy(mp->ps.key_id, list[0]->key_id, sizeof(mp->ps.key_id));
	mp->ps.name = list[0]->name;
	mp->ps.offer = many_offer;
	mp->ps.place = many_place;
	mp->ps.release_all = many_release_all;
	mp->ps.close = many_close;
	*out = &mp->ps;
	return 0;
}
