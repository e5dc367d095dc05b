/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inlets: further connections of the destination, each with a thread that
 * places what it brings: zero and plain pages of the round that is open, and
 * the round's end.  The other ends are lanes (lanes.h).
 *
 * The first connection opens rounds: the engine's thread waits until every
 * inlet has brought its end of the round (inlets_wait()), opens the next, and
 * only then tells the source.  A record of any other round ends the migration,
 * so records of two rounds are never placed at a time.
 *
 * Inlets are gone (inlets_close()) before the machine state is looked at: all
 * that is compared, checked and handed over is at rest.
 */
#ifndef UMIG_MIGRATE_INLETS_H
#define UMIG_MIGRATE_INLETS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "migrate/migration.h"
#include "migrate/pack.h"
#include "migrate/place.h"
#include "wire/frame.h"

#define INLETS_MAX (WIRE_CHANNELS_MAX - 1)

/**
 * struct inlet - One connection.
 *
 * Its thread's: @ch, @unpacker, @unpacked; @counted: bytes of it that are in the
 * migration's count.
 * Under &inlets.lock: @fenced: the last round that it has ended; @err: why it
 * ended, with a code if that was not in order.
 */
struct inlet {
	struct inlets *all;
	pthread_t thread;
	struct channel *ch;
	struct unpacker unpacker;
	uint8_t *unpacked;
	uint64_t counted;

	uint32_t fenced;
	bool ended;
	struct err err;
};

/**
 * struct inlets - All of a migration.
 * @m: it.
 * @placer: where pages go.
 * @inlet: by number, from 0; @nr of them, 0: none.
 * @round: the one that is open.
 */
struct inlets {
	struct migration *m;
	struct placer *placer;
	struct inlet inlet[INLETS_MAX];
	unsigned int nr;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint32_t round;
};

void inlets_init(struct inlets *l, struct migration *m, struct placer *placer);

/**
 * inlets_open() - The source has asked for channels: answer, and let it in.
 * @in: its CHANNELS.
 *
 * Waits at the door, for a bounded time, for connections of the same peer that
 * bring the token; others are sent away.
 *
 * Return: 0, or -errno with words in the migration's err.
 */
int inlets_open(struct inlets *l, const struct frame_in *in);

/**
 * inlets_wait() - The source has ended @round: wait until all inlets have, and
 * open the next.  As long as they bring something it may take its time: the
 * source hears that this end is alive.
 */
int inlets_wait(struct inlets *l, uint32_t round);

/**
 * inlets_close() - End them all; no page is placed any more.
 *
 * Return: 0, or why one had failed, in the migration's err, whatever stood
 * there, unless it only lost its connection.  More than once is fine.
 */
int inlets_close(struct inlets *l);

void inlets_exit(struct inlets *l);

#endif
