/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Offering: pages whose digests are known are named in place of being sent, if
 * the destination says that it holds them.  Collects OFFERs, lets pages wait on
 * them, takes ANSWERs, proves; the table of offers is offers.h's, and how a page
 * goes out dispatch.h's.
 *
 *   digest known --> asked before? -- held --------> proof, named
 *                      | no  \------- refused -----> its bytes
 *                      v
 *                    OFFER, pending --ANSWER--> released --a batch--> as above
 *                      |                           |        at a time
 *                      \---written meanwhile-------+--> cancelled: not sent in
 *                                                       this round
 *
 * A page waits at most once a round, and none does when the round ends.  As many
 * as there are may wait for one ANSWER: hence it only releases them, and they go
 * between other work.  The engine's thread only.
 */
#ifndef UMIG_MIGRATE_OFFERING_H
#define UMIG_MIGRATE_OFFERING_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/bitmap.h"
#include "mem/digest_source.h"
#include "migrate/dispatch.h"
#include "migrate/migration.h"
#include "migrate/nonces.h"
#include "migrate/offers.h"
#include "wire/frame.h"

/**
 * struct offering - Its state.
 * @m: the migration.
 * @out: how pages go out, borrowed.
 * @offers: all that were made, and who waits on them.
 * @nonces: of the answers: what proofs are made with.
 * @pending: pages that wait, by dense index,
 * @round_of: and in which round they began to.
 * @collected: digests of the OFFER that is next, @nr_collected of them.
 * @released: nobody waits on the offers before this one any more; on those from
 *	here to @offers.answered pages may, which are released.
 * @twins: more pages than one have waited on that one.
 */
struct offering {
	struct migration *m;
	struct dispatch *out;
	struct offers offers;
	struct nonces nonces;
	uint64_t *pending;
	uint32_t *round_of;
	digest_t collected[WIRE_BATCH_PAGES];
	uint32_t nr_collected;
	uint32_t released;
	bool twins;
};

/** offering_init() - 0 or -ENOMEM; then offering_exit(), too. */
int offering_init(struct offering *o, struct migration *m,
		  struct dispatch *out);
void offering_exit(struct offering *o);

/** offering_prefetch() - A page of @digest will come soon. */
static inline void offering_prefetch(const struct offering *o,
				     const digest_t *digest)
{
	offers_prefetch(&o->offers, digest);
}

/**
 * offering_pages() - Name, ask for, or send pages whose digests are known.
 * @first: the first one's dense index.
 * @digest: of each of the @n pages, at most WIRE_BATCH_PAGES until
 *	offering_flush().
 *
 * Return: 0, or -errno with words in the migration's err.
 */
int offering_pages(struct offering *o, uint64_t first, const digest_t *digest,
		   unsigned int n);

/**
 * offering_flush() - The OFFER that was collected goes out, behind the pages
 * before it.  Returns as offering_pages().
 */
int offering_flush(struct offering *o);

/**
 * offering_answer() - An ANSWER came: all pages that waited for it are released.
 * Returns as offering_pages().
 */
int offering_answer(struct offering *o, const struct frame_in *in);

/** offering_has_released() - Whether there may be pages that are released. */
static inline bool offering_has_released(const struct offering *o)
{
	return o->released < o->offers.answered;
}

/**
 * offering_send_released() - Some of the pages that are released go out, at most
 * WIRE_BATCH_PAGES.  Returns as offering_pages().
 */
int offering_send_released(struct offering *o);

/** offering_unanswered() - Whether an ANSWER is still to come. */
static inline bool offering_unanswered(const struct offering *o)
{
	return o->offers.answered < o->offers.nr;
}

/**
 * offering_waiting() - Pages that wait or are released, those included that are
 * cancelled.
 */
static inline uint64_t offering_waiting(const struct offering *o)
{
	return o->offers.waiting;
}

/**
 * offering_cancel() - @pages from @index on were written: those that wait or are
 * released don't go in this round.
 */
static inline void offering_cancel(struct offering *o, uint64_t index,
				   uint64_t pages)
{
	for (; pages; pages--, index++) {
		if (!bitmap_test(o->pending, index))
			continue;
		bitmap_clear(o->pending, index);
		o->m->live.index_cancelled++;
	}
}

#endif
