/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The sender: moves the pages of a round from one stage to the next, and takes
 * what the destination says back to the pages that it concerns.  When a round
 * ends, convergence and handover are no concern of it: precopy.c and source.c
 * see to them.  The engine's thread only.
 *
 * Order of truth: a page gets on the to-do only after its dirty state was
 * cleared (&vm_ops.dirty_harvest has returned), so that what is read from now
 * on is either what is sent or will be reported dirty again.
 *
 *   todo --take--> classify --zero, unknown--------------> dispatch --> channels
 *     |                \--known--> offering --held, refused--^
 *     |                              \--pending--released--^
 *     \--written again meanwhile--> left to the next round
 */
#ifndef UMIG_MIGRATE_SENDER_H
#define UMIG_MIGRATE_SENDER_H

#include <stdint.h>

#include "migrate/classify.h"
#include "migrate/dispatch.h"
#include "migrate/migration.h"
#include "migrate/offering.h"
#include "migrate/todo.h"

/**
 * struct sender - Its state: that of the stages.
 * @m: the migration.
 * @todo: which pages are to be sent, in which round.
 * @classifier: what is known of them before they are looked at.
 * @offering: those that may be named.
 * @out: how they go out.
 * @refused: so many of this round's came back.
 */
struct sender {
	struct migration *m;
	struct todo todo;
	struct classifier classifier;
	struct offering offering;
	struct dispatch out;
	uint64_t refused;
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
 * sender_batch() - Send the next pages of the round, at most WIRE_BATCH_PAGES,
 * and handle what came back.
 *
 * Return: 1: there is more; 0: none is left (some may wait on offers); or
 * -errno with words in the migration's err.
 */
int sender_batch(struct sender *s);

/**
 * sender_end_rounds() - All rounds have been sent: what is left goes by the
 * first channel.
 */
void sender_end_rounds(struct sender *s);

/**
 * sender_settle() - Wait for an answer, or send some of the pages that waited
 * for one, at most WIRE_BATCH_PAGES; flush.
 *
 * Return: 1: pages may still wait; 0: none does, and all have gone out; or as
 * sender_batch().
 */
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
