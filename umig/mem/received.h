/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The received map: what the destination has of each page, and of which round
 * it is.  It is what makes records order-proof (an older one is dropped) and
 * READY honest (nothing is missing).  One thread.
 */
#ifndef UMIG_MEM_RECEIVED_H
#define UMIG_MEM_RECEIVED_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/bitmap.h"

/**
 * struct received - One entry a page, by dense index.
 * @pages: entries.
 * @placed: how many hold the content of their newest record.
 * @round: the round of the newest record, 0: none came.
 * @missing: newest record named content that could not be placed.
 * @touched: something but zeroes was ever written there.
 */
struct received {
	uint64_t pages;
	uint64_t placed;
	uint32_t *round;
	uint64_t *missing;
	uint64_t *touched;
};

/** received_init() - 0 or -ENOMEM. */
int received_init(struct received *r, uint64_t pages);
void received_exit(struct received *r);

/**
 * received_accepts() - Whether a record of @round is news for @index.
 *
 * A record of the same round as the last is: it comes after it on the same
 * channel, or repeats a page whose content was refused.
 */
static inline bool received_accepts(const struct received *r, uint64_t index,
				    uint32_t round)
{
	return round >= r->round[index];
}

/** received_is_placed() - Whether it holds the content of its newest record. */
static inline bool received_is_placed(const struct received *r, uint64_t index)
{
	return r->round[index] && !bitmap_test(r->missing, index);
}

/** received_placed() - The page has the content of its record of @round. */
static inline void received_placed(struct received *r, uint64_t index,
				   uint32_t round)
{
	r->placed += !received_is_placed(r, index);
	r->round[index] = round;
	bitmap_clear(r->missing, index);
}

/** received_refused() - It has not: it is missing until it comes again. */
void received_refused(struct received *r, uint64_t index, uint32_t round);

/** received_has() - Whether the page has the content of exactly @round. */
bool received_has(const struct received *r, uint64_t index, uint32_t round);

/** received_complete() - Whether no page is missing. */
bool received_complete(const struct received *r);

/** received_first_missing() - Dense index of one, or @r->pages. */
uint64_t received_first_missing(const struct received *r);

#endif
