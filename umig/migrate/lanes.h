/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lanes: further connections of the source, each with a thread that encodes
 * the batches it is handed and sends them.  The engine's thread chooses pages,
 * and fills batches; what is named goes by its own channel.
 *
 *   engine's thread ── batch ──▶ queue (bounded) ──▶ encode, pack, seal ──▶ TCP
 *        │              fence ──▶        "        ──▶ ROUND_END
 *        └─ no room in any: encodes it itself, on the first channel
 *
 * A page is in one batch a round, and a round ends (lanes_fence()) on every
 * lane before it ends on the first channel: so there is no order between
 * connections to keep within a round, and none to lose between rounds.
 *
 * A lane that fails fails the migration: the engine's thread hears of it at the
 * next batch or fence.  Lanes are gone (lanes_close()) before the machine state
 * is sent, so the handover knows one connection only.
 */
#ifndef UMIG_MIGRATE_LANES_H
#define UMIG_MIGRATE_LANES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "migrate/encode.h"
#include "migrate/migration.h"
#include "migrate/packing.h"
#include "wire/frame.h"

#define LANES_MAX (WIRE_CHANNELS_MAX - 1)
#define LANE_BATCHES 4

/**
 * struct lane_batch - Pages to be sent by their bytes.
 * @round: of all of them.
 * @fence: none: the round ends here.
 * @deadline_ns: as channel_set_deadline().
 * @index: of each of @nr pages.
 */
struct lane_batch {
	uint32_t round;
	bool fence;
	uint64_t deadline_ns;
	uint32_t nr;
	uint64_t index[WIRE_BATCH_PAGES];
};

/**
 * struct lane - One connection.
 *
 * Its thread's, or nobody's: @ch, @encoder.
 * Under &lanes.lock: @batch[@first] to @batch[@first + @nr - 1], the first of
 * them its thread's; @fenced: the round that has ended; @error: it has failed;
 * @count, @bytes_plain_equivalent: of @encoder, after the last batch.
 */
struct lane {
	struct lanes *all;
	pthread_t thread;
	struct channel *ch;
	struct encoder encoder;

	struct lane_batch batch[LANE_BATCHES];
	unsigned int first;
	unsigned int nr;
	uint32_t fenced;
	int error;
	int64_t count[PAGE_CLASSES];
	uint64_t bytes_plain_equivalent;
};

/**
 * struct lanes - All of a migration.
 * @m: it.
 * @nr: lanes, 0: none.
 * @active: of them, those that get batches; the engine's thread may change it.
 * @closed: lanes there were, whose counts count.
 * @changed: a queue has room, a fence was passed, or there is something to do.
 * @end: threads shall end.
 */
struct lanes {
	struct migration *m;
	struct lane *lane;
	unsigned int nr;
	unsigned int active;
	unsigned int closed;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool end;
};

void lanes_init(struct lanes *l, struct migration *m);

/**
 * lanes_open() - Have @nr of them, at most LANES_MAX.
 * @class, @packing: as encoder_init().
 *
 * Asks the destination, connects, joins.  The first frame behind HELLO.
 *
 * Return: 0, or -errno with words in the migration's err.
 */
int lanes_open(struct lanes *l, unsigned int nr, uint8_t *class,
	       struct packing *packing);

/** lanes_close() - End them all.  More than once is fine. */
void lanes_close(struct lanes *l);

void lanes_exit(struct lanes *l);

/** lanes_error() - 0, or what the first lane that failed failed with. */
int lanes_error(struct lanes *l);

/**
 * lanes_put() - Have @nr pages, at most WIRE_BATCH_PAGES, sent by a lane.
 * @index: which, by dense index.
 *
 * Return: false: no lane has room.
 */
bool lanes_put(struct lanes *l, uint32_t round, const uint64_t *index,
	       unsigned int nr);

/**
 * lanes_fence() - End @round on every lane; wait until all of it, and that, has
 * been sent, and have the destination hear of us meanwhile.
 *
 * Return: 0, as lanes_error(), what the first channel failed with, or -ETIME: its
 * deadline has passed.
 */
int lanes_fence(struct lanes *l, uint32_t round);

/** lanes_count() - Add what they have sent. */
void lanes_count(struct lanes *l, int64_t count[PAGE_CLASSES],
		 uint64_t *bytes_plain_equivalent);

#endif
