/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The source's offers: each unique digest is offered once, and pages wait on
 * it until the destination has answered.  Knows digests, numbers and page
 * indices; sends nothing.  One thread.
 *
 *          offers_find_or_add()      offers_answer()
 *   (new) ---------------------> PENDING ---------> HELD | REFUSED
 *                                 ^ pages wait       ^ waiting pages handed
 *                                                      back, one by one
 */
#ifndef UMIG_MIGRATE_OFFERS_H
#define UMIG_MIGRATE_OFFERS_H

#include <stdbool.h>
#include <stdint.h>

#include "mem/digest_source.h"

enum offer_state {
	OFFER_PENDING = 1,
	OFFER_HELD = 2,
	OFFER_REFUSED = 3,
};

#define OFFERS_NONE UINT32_MAX
/* Offers for each page of RAM that a migration may make, over all rounds, */
#define OFFERS_PER_PAGE 4
/* and in all: twice as many slots, the table's, are still counted in 32 bits. */
#define OFFERS_MAX (1U << 30)

/** offers_limit() - Most that a source makes, and a destination takes. */
static inline uint32_t offers_limit(uint64_t pages)
{
	return pages < OFFERS_MAX / OFFERS_PER_PAGE ?
		       pages * OFFERS_PER_PAGE : OFFERS_MAX;
}

struct offer {
	digest_t digest;
	uint32_t waiters;	/* first waiter, OFFERS_NONE: none */
	uint8_t state;		/* enum offer_state */
};

struct offer_waiter {
	uint64_t index;		/* the page */
	uint32_t round;		/* in which it began to wait */
	uint32_t next;
};

/**
 * struct offers - The table.
 * @offer: by number, as on the wire.
 * @nr: offers made.
 * @answered: offers up to here have been answered: answers come in order.
 * @limit: no more than this are made.
 * @waiting: waiters, cancelled ones included.
 */
struct offers {
	struct offer *offer;
	uint32_t nr;
	uint32_t cap;
	uint32_t answered;
	uint32_t limit;
	uint32_t *table;	/* hash table of numbers, open addressing */
	uint32_t table_mask;
	struct offer_waiter *waiter;
	uint32_t waiter_cap;
	uint32_t waiter_free;
	uint64_t waiting;
};

/** offers_init() - @limit: most offers ever made. */
int offers_init(struct offers *o, uint32_t limit);
void offers_exit(struct offers *o);

/** offers_prefetch() - offers_find_or_add() will be called with @digest. */
void offers_prefetch(const struct offers *o, const digest_t *digest);

/**
 * offers_find_or_add() - The number of a digest's offer.
 * @added: set to whether it is new: PENDING, and to be sent.
 *
 * Return: 0; -ENOSPC: new, and the limit is reached; -ENOMEM.
 */
int offers_find_or_add(struct offers *o, const digest_t *digest,
		       uint32_t *number, bool *added);

/** offers_wait() - Let page @index wait on PENDING offer @number. */
int offers_wait(struct offers *o, uint32_t number, uint64_t index,
		uint32_t round);

/**
 * offers_answer() - Take the destination's answer for the next offer.
 *
 * Return: its number, or OFFERS_NONE if all have been answered.
 */
uint32_t offers_answer(struct offers *o, bool held);

/** offers_next_waiter() - The one to be popped next; false: none is left. */
bool offers_next_waiter(const struct offers *o, uint32_t number,
			uint64_t *index);

/** offers_pop_waiter() - Take one waiter of an offer; false: none is left. */
bool offers_pop_waiter(struct offers *o, uint32_t number, uint64_t *index,
		       uint32_t *round);

#endif
