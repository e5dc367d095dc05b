/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Placing pages at the destination: what arrives, of whatever class, becomes
 * guest memory, or is refused and will come whole.  Keeps the received map and
 * the leases behind offers.  Sends nothing.
 *
 * Threads: the engine's, and for each other channel one that calls
 * placer_plain_pages() and nothing else.  What both touch is under @lock: a
 * page is entered in the map first and written then, without the lock, since an
 * honest source sends it once a round, and rounds end everywhere before the
 * next begins.  Whoever sends it twice at a time gets one or the other, or a
 * mixture, of its own pages.
 */
#ifndef UMIG_MIGRATE_PLACE_H
#define UMIG_MIGRATE_PLACE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "mem/fresh.h"
#include "mem/memslots.h"
#include "mem/page_source.h"
#include "mem/received.h"
#include "migrate/migrate.h"
#include "migrate/nonces.h"
#include "migrate/page_class.h"
#include "migrate/unproven.h"
#include "wire/frame.h"
#include "wire/msgs.h"

/*
 * So many failed proofs of a digest are the guest's writes at worst: a page may
 * be written between the look-up of its digest and its proof, and should not
 * cost its twins.  After these the digest is refused unseen.
 */
#define PROOF_FAILURES_MAX 4

/** struct held_offer - An offer: @lease 0: not held; @tag: &struct unproven. */
struct held_offer {
	uint64_t lease;
	uint64_t tag;
};

/**
 * struct placer - Its state.
 * @ms: guest memory.
 * @pages: held pages, or NULL: nothing is held.
 * @lock: of @received, @class and @count while there are other threads.
 * @received: what has come.
 * @fresh: for pages written for the first time.
 * @populated: bitmap: pages that have memory though nothing was written.
 * @dense: the source may say which memory is dense, set before any page.
 * @huge: then that is given huge pages.
 * @proof: what the source must prove, set before the first offer,
 * @brief: and whether half of it will do.
 * @offer: by offer number.
 * @nr_offers: offers taken.
 * @offers_limit: more than this a source has no need of.
 * @nonces: of the answers to offers.
 * @failed: digests that the source could not prove to have the page of.
 * @proven, @unproven: pages whose proof held, or did not.
 * @class: how each page came last, &enum page_class.
 * @count: pages of each class.
 * @refused: gfns refused by the last placer_pages(), all of @refused_round.
 */
struct placer {
	const struct memslots *ms;
	struct page_source *pages;
	pthread_mutex_t lock;
	struct received received;
	struct fresh fresh;
	uint64_t *populated;
	bool dense;
	bool huge;
	enum proof_mode proof;
	bool brief;
	struct held_offer *offer;
	uint32_t nr_offers;
	uint64_t cap_offers;
	uint64_t offers_limit;
	struct nonces nonces;
	struct unproven failed;
	uint64_t proven;
	uint64_t unproven;
	uint8_t *class;
	uint64_t count[PAGE_CLASSES];
	uint64_t *refused;
	uint32_t nr_refused;
	uint32_t cap_refused;
	uint32_t refused_round;
};

int placer_init(struct placer *p, const struct memslots *ms,
		struct page_source *pages);
/** placer_exit() - More than once, and after placer_init() failed, is fine. */
void placer_exit(struct placer *p);

/**
 * placer_offer() - Which of the offered digests are held.
 * @nonce: written: what the proofs of these are to be made with.
 * @bitmap: 64 bytes, written.
 *
 * A page source that fails holds nothing: the pages come whole.
 *
 * Return: 0, -EPROTO (in words), -ENOMEM.
 */
int placer_offer(struct placer *p, const struct offer_msg *msg,
		 uint8_t nonce[PROOF_NONCE_BYTES], uint8_t *bitmap,
		 struct err *err);

/**
 * placer_pages() - Place a PAGES payload.
 *
 * Records older than what is there are dropped.  A held page of which the
 * source has no proof is zeroed again and refused.  Nothing outside the VM's
 * memory is ever written: -EPROTO, in words, for anything malformed, with
 * whole runs before it placed.
 */
int placer_pages(struct placer *p, const void *data, size_t bytes,
		 struct err *err);

/**
 * placer_plain_pages() - Place a PAGES payload of zero and plain pages, all of
 * @round.  Any thread.
 */
int placer_plain_pages(struct placer *p, const void *data, size_t bytes,
		       uint32_t round, struct err *err);

/** placer_count() - Fill the report's pages by class, and those unproven. */
void placer_count(struct placer *p, struct migrate_report *r);

#endif
