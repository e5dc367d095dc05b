// SPDX-License-Identifier: GPL-2.0
/*
 * The source's offers: see offers.h.
 *
 * Digests are keyed hashes and thus as good as random: their first bytes are
 * the hash table's hash.  A peer can't choose them.
 */
#include "migrate/offers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 1024

static uint32_t hash(const digest_t *d)
{
	uint32_t h;

	memcpy(&h, d->b, sizeof(h));
	return h;
}

static int resize_table(struct offers *o, uint32_t slots)
{
	uint32_t *table = malloc(slots * sizeof(*table));
	uint32_t i, at;

	if (!table)
		return -ENOMEM;
	memset(table, 0xff, slots * sizeof(*table));
	for (i = 0; i < o->nr; i++) {
		at = hash(&o->offer[i].digest) & (slots - 1);
		while (table[at] != OFFERS_NONE)
			at = (at + 1) & (slots - 1);
		table[at] = i;
	}
	free(o->table);
	o->table = table;
	o->table_mask = slots - 1;
	return 0;
}

int offers_init(struct offers *o, uint32_t limit)
{
	*o = (struct offers){
		.limit = limit,
		.waiter_free = OFFERS_NONE,
	};
	return resize_table(o, FIRST_CAP);
}

void offers_exit(struct offers *o)
{
	free(o->offer);
	free(o->table);
	free(o->waiter);
	*o = (struct offers){ 0 };
}

/* Room for one more offer, the table at most half full. */
static int grow(struct offers *o)
{
	uint32_t cap = o->cap ? o->cap * 2 : FIRST_CAP;
	struct offer *offer;

	if (o->nr * 2 > o->table_mask) {
		int rc = resize_table(o, (o->table_mask + 1) * 2);

		if (rc)
			return rc;
	}
	if (o->nr < o->cap)
		return 0;
	offer = realloc(o->offer, cap * sizeof(*offer));
	if (!offer)
		return -ENOMEM;
	o->offer = offer;
	o->cap = cap;
	return 0;
}

void offers_prefetch(const struct offers *o, const digest_t *digest)
{
	__builtin_prefetch(&o->table[hash(digest) & o->table_mask]);
}

int offers_find_or_add(struct offers *o, const digest_t *digest,
		       uint32_t *number, bool *added)
{
	uint32_t at = hash(digest) & o->table_mask;
	int rc;

	*added = false;
	for (; o->table[at] != OFFERS_NONE; at = (at + 1) & o->table_mask) {
		*number = o->table[at];
		if (!memcmp(&o->offer[*number].digest, digest,
			    sizeof(*digest)))
			return 0;
	}
	if (o->nr == o->limit)
		return -ENOSPC;
	rc = grow(o);
	if (rc)
		return rc;
	*number = o->nr++;
	*added = true;
	o->offer[*number] = (struct offer){
		.digest = *digest,
		.waiters = OFFERS_NONE,
		.state = OFFER_PENDING,
	};
	/* grow() may have moved the free place */
	at = hash(digest) & o->table_mask;
	while (o->table[at] != OFFERS_NONE)
		at = (at + 1) & o->table_mask;
	o->table[at] = *number;
	return 0;
}

static int grow_waiters(struct offers *o)
{
	uint32_t cap = o->waiter_cap ? o->waiter_cap * 2 : FIRST_CAP;
	struct offer_waiter *w = realloc(o->waiter, cap * sizeof(*w));
	uint32_t i;

	if (!w)
		return -ENOMEM;
	o->waiter = w;
	for (i = cap; i-- > o->waiter_cap;) {
		w[i].next = o->waiter_free;
		o->waiter_free = i;
	}
	o->waiter_cap = cap;
	return 0;
}

int offers_wait(struct offers *o, uint32_t number, uint64_t index,
		uint32_t round)
{
	uint32_t i;
	int rc = 0;

	if (o->waiter_free == OFFERS_NONE)
		rc = grow_waiters(o);
	if (rc)
		return rc;
	i = o->waiter_free;
	o->waiter_free = o->waiter[i].next;
	o->waiter[i] = (struct offer_waiter){
		.index = index,
		.round = round,
		.next = o->offer[number].waiters,
	};
	o->offer[number].waiters = i;
	o->waiting++;
	return 0;
}

uint32_t offers_answer(struct offers *o, bool held)
{
	if (o->answered == o->nr)
		return OFFERS_NONE;
	o->offer[o->answered].state = held ? OFFER_HELD : OFFER_REFUSED;
	return o->answered++;
}

bool offers_next_waiter(const struct offers *o, uint32_t number,
			uint64_t *index)
{
	uint32_t i = o->offer[number].waiters;

	if (i == OFFERS_NONE)
		return false;
	*index = o->waiter[i].index;
	return true;
}

bool offers_pop_waiter(struct offers *o, uint32_t number, uint64_t *index,
		       uint32_t *round)
{
	uint32_t i = o->offer[number].waiters;

	if (i == OFFERS_NONE)
		return false;
	*index = o->waiter[i].index;
	*round = o->waiter[i].round;
	o->offer[number].waiters = o->waiter[i].next;
	o->waiter[i].next = o->waiter_free;
	o->waiter_free = i;
	o->waiting--;
	return true;
}
