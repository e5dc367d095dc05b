/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Deltas, while they pay: from the second round on, what is sent is kept
 * (delta_cache.h), and a page that is sent again goes as its changes if they are
 * short.  In the first round every page is sent, most of them for good: that
 * keeps nothing.
 *
 *   round 2: learn --> try: enough is saved --\
 *              ^        |  ^-----------------/
 *              |        v not enough
 *              \----- rest, each time longer
 *
 * One thread.
 */
#ifndef UMIG_MIGRATE_DELTAS_H
#define UMIG_MIGRATE_DELTAS_H

#include <stdbool.h>
#include <stdint.h>

#include "migrate/delta_cache.h"
#include "wire/delta.h"

/*
 * After so many pages that were tried, those that were only kept counting as
 * little as they cost, it is seen what they saved:
 */
#define DELTAS_WINDOW 512
/* less than this part of their bytes doesn't pay ... */
#define DELTAS_PART 4
/* ... and so many rounds nothing is kept, then twice as many, and so on. */
#define DELTAS_REST 4

/**
 * struct deltas - Their state.
 * @cache: what is kept.
 * @on: in this round pages are kept and tried.
 * @round: this round.
 * @learning: the round in which the cache was empty: nothing can be saved yet.
 * @rest: of the next failure, rounds.
 * @again: the round in which to begin again.
 * @seen: eighths of pages of the window,
 * @saved: and the bytes that they did not take.
 * @sent: pages that went as deltas, ever.
 * @page: the page being sent.
 * @delta: its changes, @bytes of them, to what it was in round @base.
 */
struct deltas {
	struct delta_cache cache;
	bool on;
	uint32_t round;
	uint32_t learning;
	uint32_t rest;
	uint32_t again;
	uint32_t seen;
	uint64_t saved;
	uint64_t sent;

	uint8_t page[DELTA_PAGE_BYTES];
	uint8_t delta[DELTA_BYTES_MAX];
	uint16_t bytes;
	uint32_t base;
};

/** deltas_init() - 0 or -ENOMEM. */
int deltas_init(struct deltas *d);
void deltas_exit(struct deltas *d);

/** deltas_begin_round() - @round, from 1, is what is sent now. */
void deltas_begin_round(struct deltas *d, uint32_t round);

/** deltas_wants() - Whether to hand page @index to deltas_take(). */
bool deltas_wants(const struct deltas *d, uint64_t index);

/**
 * deltas_take() - Page @index, which is wanted, is being sent by its bytes.
 * @page: guest memory, which may change any time.
 *
 * What is sent has to be @d->page, the copy that is kept.
 *
 * Return: whether @d->delta should be sent in its place.
 */
bool deltas_take(struct deltas *d, uint64_t index, const void *page);

/** deltas_forget() - It was refused, or is sent otherwise. */
void deltas_forget(struct deltas *d, uint64_t index);

#endif
