/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The sender: takes pages of a round from the to-do through classify,
 * offer and encode to the channel, and what the destination says back to the
 * pages that it concerns.  It knows nothing of rounds' ends, of convergence or
 * of handover: precopy.c and source.c do.  The engine's thread only.
 *
 * Order of truth: a page gets on the to-do only after its dirty state was
 * cleared (&vm_ops.dirty_harvest has returned), so that what is read from now
 * on is either what is sent or will be reported dirty again.
 *
 *   todo --take--> zero, plain, held ----------------------> channel
 *     |              \--> waits on an offer --answer--> held, plain --^
 *     \--written again meanwhile (next)--> left to the next round
 */
#ifndef UMIG_MIGRATE_SENDER_H
#define UMIG_MIGRATE_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/bitmap.h"
#include "migrate/classify.h"
#include "migrate/dispatch.h"
#include "migrate/migration.h"
#include "migrate/nonces.h"
#include "migrate/offers.h"
#include "migrate/todo.h"
#include "wire/frame.h"

#define SENDER_BATCH WIRE_BATCH_PAGES

/**
 * struct sender - Its state.
 * @m: the migration.
 * @classifier: what is known of pages before they are looked at.
 * @todo: which pages are to be sent, in which round.
 * @out: how they go out.
 * @pending: pages that wait on an offer, by dense index,
 * @round_of: and the round in which they began to.
 */
struct sender {
	struct migration *m;
	struct classifier classifier;
	struct todo todo;
	struct dispatch out;
	uint64_t *pending;
	uint32_t *round_of;

	struct offers offers;
	struct nonces nonces;

	/* an OFFER being collected */
	digest_t offered[SENDER_BATCH];
	uint32_t nr_offered;
};

/** sender_init() - @digests: what to offer from, or NULL. */
int sender_init(struct sender *s, struct migration *m,
		struct digest_source *digests);
void sender_exit(struct sender *s);

/** sender_begin_round() - What was written since is to be sent now. */
void sender_begin_round(struct sender *s);

/**
 * sender_written() - A harvest reported these pages (a vm_dirty_fn).
 * @arg: the sender.
 *
 * They are of the next round, and no longer wait for an answer.
 */
void sender_written(void *arg, uint64_t gfn, uint64_t pages);

/** sender_written_all() - The log lost pages: all count as written. */
void sender_written_all(struct sender *s);

/**
 * sender_batch() - Send the next pages of the round, and handle what came back.
 *
 * Return: 1: there is more; 0: none is left (offers may be pending); or
 * -errno with words in the migration's err.
 */
int sender_batch(struct sender *s);

/**
 * sender_end_rounds() - All rounds have been sent: what is left goes by the
 * first channel.
 */
void sender_end_rounds(struct sender *s);

/** sender_settle() - Wait until no page waits on an offer; flush. */
int sender_settle(struct sender *s);

/**
 * sender_end_round() - Say that the round has been sent, wait for the ACK.
 *
 * Pages that were refused are of the next round.
 */
int sender_end_round(struct sender *s);

/** sender_count() - Fill the report's pages by class. */
void sender_count(struct sender *s, struct migrate_report *r);

#endif
