/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Dispatching: pages go out, each once a round: by the first channel, whose
 * encoder is here, or if their bytes are all that matters by whichever lane has
 * room.  How many lanes that pays for is found out meanwhile.  It doesn't choose
 * the pages, and waits for nothing but room.
 *
 *   dense, zero, held, duplicate, delta ------------> encoder --> first channel
 *   bytes, of any channel --> gathered --no lane's room--^
 *                                \--> lanes (lanes.h) ----------> theirs
 *
 * What is gathered has been claimed, and not been read yet.  The engine's thread
 * only.
 */
#ifndef UMIG_MIGRATE_DISPATCH_H
#define UMIG_MIGRATE_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/bitmap.h"
#include "migrate/climb.h"
#include "migrate/deltas.h"
#include "migrate/encode.h"
#include "migrate/lanes.h"
#include "migrate/migration.h"
#include "migrate/packing.h"
#include "wire/frame.h"

/**
 * struct dispatch - Its state.
 * @m: the migration.
 * @round: pages that go out now are of this round.
 * @sent: pages that went out, each as often as it did.
 * @class: how each page went last, &enum page_class, by dense index.
 * @refused: pages that the destination refused once: they go by their bytes.
 * @packing: when to compress; for all channels.
 * @deltas: what of the first channel is kept.
 * @encoder: the first channel's.
 * @lanes: further channels.
 * @climb: how many of them, if that is our choice,
 * @spreadable: by the pages that a lane could have taken so far.
 * @gathered: @nr_gathered pages for the next lane.
 */
struct dispatch {
	struct migration *m;
	uint32_t round;
	uint64_t sent;
	uint8_t *class;
	uint64_t *refused;

	struct packing packing;
	struct deltas deltas;
	struct encoder encoder;
	struct lanes lanes;
	struct climb climb;
	uint64_t spreadable;

	uint64_t gathered[WIRE_BATCH_PAGES];
	uint32_t nr_gathered;
};

/** dispatch_init() - 0 or -ENOMEM; then dispatch_exit(), too. */
int dispatch_init(struct dispatch *d, struct migration *m);
void dispatch_exit(struct dispatch *d);

/*
 * All of the following that return an int return 0, or -errno with words in the
 * migration's err.
 */

/** dispatch_open() - Open what further channels pay.  Once, before pages. */
int dispatch_open(struct dispatch *d);

/** dispatch_begin_round() - What goes out from now on is of @round. */
void dispatch_begin_round(struct dispatch *d, uint32_t round);

/**
 * dispatch_dense() - @n pages from dense index @first on, of one slot, at most
 * WIRE_BATCH_PAGES, have memory here, and will all go out.
 *
 * A destination that cares is told, if they are as many as a huge page has: it
 * does well to make room for them at once.
 */
int dispatch_dense(struct dispatch *d, uint64_t first, unsigned int n);

/** dispatch_zero() - @n > 0 pages of one slot, @first on, read as zeroes. */
int dispatch_zero(struct dispatch *d, uint64_t first, unsigned int n);

/** dispatch_held() - As encoder_held(). */
int dispatch_held(struct dispatch *d, uint64_t index,
		  const struct wire_held *held);

/** dispatch_own() - Page @index goes by the first channel: encoder_bytes(). */
int dispatch_own(struct dispatch *d, uint64_t index, uint32_t refused);

/** dispatch_any() - Page @index goes by its bytes, by whom doesn't matter. */
int dispatch_any(struct dispatch *d, uint64_t index);

/** dispatch_spread() - The same of @n pages, of which nothing is known. */
int dispatch_spread(struct dispatch *d, uint64_t first, unsigned int n);

/** dispatch_climb() - @n pages more could have gone by any channel. */
void dispatch_climb(struct dispatch *d, unsigned int n);

/** dispatch_flush() - What the first channel is to carry goes out. */
int dispatch_flush(struct dispatch *d);

/** dispatch_flush_all() - And what was gathered for a lane. */
int dispatch_flush_all(struct dispatch *d);

/** dispatch_end_round() - All of the round has gone out by the lanes. */
int dispatch_end_round(struct dispatch *d);

/** dispatch_error() - Whether a lane has failed meanwhile. */
int dispatch_error(struct dispatch *d);

/** dispatch_close() - No more pages.  More than once is fine. */
void dispatch_close(struct dispatch *d);

/** dispatch_named() - So many pages of this round may be refused. */
static inline uint64_t dispatch_named(const struct dispatch *d)
{
	return d->encoder.named;	/* lanes name none */
}

/** dispatch_refused() - The destination did not take page @index. */
void dispatch_refused(struct dispatch *d, uint64_t index);

/** dispatch_may_name() - Whether page @index may be named in place of sent. */
static inline bool dispatch_may_name(const struct dispatch *d, uint64_t index)
{
	return !bitmap_test(d->refused, index);
}

/** dispatch_count() - Fill the report's pages by class. */
void dispatch_count(struct dispatch *d, struct migrate_report *r);

#endif
