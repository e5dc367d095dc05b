/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Placing pages at the destination: what arrives, of whatever class, becomes
 * guest memory, or is refused and will come whole.  Keeps the received map and
 * the leases behind offers.  Sends nothing.  The engine's thread only.
 */
#ifndef UMIG_MIGRATE_PLACE_H
#define UMIG_MIGRATE_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "mem/memslots.h"
#include "mem/page_source.h"
#include "mem/received.h"
#include "migrate/migrate.h"
#include "migrate/page_class.h"
#include "wire/frame.h"
#include "wire/msgs.h"

/**
 * struct placer - Its state.
 * @ms: guest memory.
 * @pages: held pages, or NULL: nothing is held.
 * @received: what has come.
 * @lease: by offer number: 0: not held.
 * @nr_offers: offers taken.
 * @offers_limit: more than this a source has no need of.
 * @class: how each page came last, &enum page_class.
 * @count: pages of each class.
 * @refused: gfns refused by the last placer_pages(), all of @refused_round.
 */
struct placer {
	const struct memslots *ms;
	struct page_source *pages;
	struct received received;
	uint64_t *lease;
	uint32_t nr_offers;
	uint64_t cap_offers;
	uint64_t offers_limit;
	uint8_t *class;
	uint64_t count[PAGE_CLASSES];
	uint64_t *refused;
	uint32_t nr_refused;
	uint32_t cap_refused;
	uint32_t refused_round;
};

int placer_init(struct placer *p, const struct memslots *ms,
		struct page_source *pages);
void placer_exit(struct placer *p);

/**
 * placer_offer() - Which of the offered digests are held.
 * @bitmap: 64 bytes, written.
 *
 * A page source that fails holds nothing: the pages come whole.
 *
 * Return: 0, -EPROTO (in words), -ENOMEM.
 */
int placer_offer(struct placer *p, const struct offer_msg *msg,
		 uint8_t *bitmap, struct err *err);

/**
 * placer_pages() - Place a PAGES payload.
 *
 * Records older than what is there are dropped.  Nothing outside the VM's
 * memory is ever written: -EPROTO, in words, for anything malformed, with
 * whole runs before it placed.
 */
int placer_pages(struct placer *p, const void *data, size_t bytes,
		 struct err *err);

/** placer_count() - Fill the report's pages by class. */
void placer_count(const struct placer *p, struct migrate_report *r);

#endif
