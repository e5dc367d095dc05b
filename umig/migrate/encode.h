/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Encoding: pages of one round, in any order, become PAGES frames of one
 * channel: zero, a duplicate of one that this channel has carried, held, as
 * changes to what it was, or whole; packed (PACKED) as the policy has it.  What
 * to send, and when, is the sender's (sender.h); an encoder is handed pages and
 * knows nothing of offers, of rounds' ends or of what comes back.
 *
 * A page is read after its dirty state was cleared: what goes out may be newer
 * than the log, never older.  Its bytes are copied at once if anybody wants to
 * look at them again, else when the channel sends them.  One thread an encoder.
 */
#ifndef UMIG_MIGRATE_ENCODE_H
#define UMIG_MIGRATE_ENCODE_H

#include <stdbool.h>
#include <stdint.h>

#include "mem/memslots.h"
#include "migrate/deltas.h"
#include "migrate/duplicates.h"
#include "migrate/packing.h"
#include "migrate/page_class.h"
#include "transport/channel.h"
#include "transport/tcp_path.h"
#include "wire/pages.h"

/* More frames than a channel queues. */
#define ENCODER_FRAMES 8

/** struct encoder_sent - A frame: how it was to be packed, if that @counts. */
struct encoder_sent {
	struct pack_plan plan;
	bool counts;
};

/**
 * struct encoder - Its state.
 * @ms: guest memory.
 * @ch: where frames go, borrowed.
 * @class: how each page went last, &enum page_class, by dense index: shared by
 *	all encoders, but a page is one encoder's in a round.
 * @round: of all pages from encoder_begin_round() on,
 * @named: of which so many didn't go by all their bytes: these may be refused.
 * @count: pages of each class, as far as it is this encoder's doing: the sum
 *	over all encoders counts.
 * @bytes_plain_equivalent: see &struct migrate_report.
 * @writer: the PAGES frame being written, if @writing,
 * @plain: with so many plain pages,
 * @plan: to be packed so; with a codec it is written to @raw first.
 * @deltas: for pages that are sent again, borrowed; NULL: they go whole.
 * @packing: the policy; NULL: nothing is packed, and @raw isn't there.
 * @sent: the frames that the channel has, in a ring: @nr_sent of them from
 *	@first_sent on.
 * @path: of the channel, as last seen.
 */
struct encoder {
	const struct memslots *ms;
	struct channel *ch;
	uint8_t *class;
	uint32_t round;
	uint64_t named;
	int64_t count[PAGE_CLASSES];
	uint64_t bytes_plain_equivalent;

	struct duplicates dups;
	struct deltas *deltas;
	struct pages_writer writer;
	bool writing;
	uint32_t plain;
	struct pack_plan plan;

	struct packing *packing;
	struct packing_worker packer;
	uint8_t *raw;
	struct encoder_sent sent[ENCODER_FRAMES];
	unsigned int first_sent;
	unsigned int nr_sent;
	struct tcp_path path;
};

/**
 * encoder_init() - As the fields are called.
 *
 * The channel's channel_on_sent() is the encoder's until encoder_exit().
 *
 * Return: 0 or -ENOMEM.
 */
int encoder_init(struct encoder *e, const struct memslots *ms,
		 struct channel *ch, uint8_t *class, struct packing *packing);
void encoder_exit(struct encoder *e);

/** encoder_begin_round() - All that was handed in is flushed. */
void encoder_begin_round(struct encoder *e, uint32_t round);

/* The following return 0, -ENOMEM, or what the channel said. */

/**
 * encoder_dense() - @pages from @index on, of one slot, at most
 * WIRE_BATCH_PAGES, have memory here, and will all be sent.
 */
int encoder_dense(struct encoder *e, uint64_t index, uint32_t pages);

/** encoder_zero() - @n > 0 pages of one slot, @first on, read as zeroes. */
int encoder_zero(struct encoder *e, uint64_t first, unsigned int n);

/**
 * encoder_held() - The destination holds it.
 * @held: in wire order.
 * @brief: half of the proof will do.
 */
int encoder_held(struct encoder *e, uint64_t index,
		 const struct wire_held *held, bool brief);

/**
 * encoder_bytes() - Send a page by its bytes: zero, changes, or whole.
 * @refused: the number of the offer that the destination doesn't hold, or
 *	OFFERS_NONE: a twin of such a page can be named instead of being sent.
 */
int encoder_bytes(struct encoder *e, uint64_t index, uint32_t refused);

/** encoder_flush() - The frame being written, if any, goes out. */
int encoder_flush(struct encoder *e);

#endif
