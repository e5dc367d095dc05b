/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One end of the engine, with a small fake VM, and a peer made of raw frames
 * that faces it: for cmocka tests of what either makes of the other.
 */
#ifndef SELFTESTS_FACING_H
#define SELFTESTS_FACING_H

#include <stdint.h>

#include "umig/end.h"
#include "umig/raw_peer.h"

#define FACING_LOW 64
#define FACING_HIGH 64
#define FACING_PAGES (FACING_LOW + FACING_HIGH)

/**
 * struct facing - Both.
 * @end: the engine's end.
 * @peer: who faces it.
 * @digests: for a source, not in use yet.
 * @pages: a destination's: it holds the pages of seeds below 5.
 * @address: the destination's.
 * @listen_fd: the peer's, if it is the destination; else -1.
 */
struct facing {
	struct end end;
	struct raw_peer peer;
	struct fake_digests digests;
	struct fake_pages pages;
	char address[32];
	int listen_fd;
};

/**
 * facing_open_source() - A source that hasn't begun, with so much memory, which
 * is zero.
 */
void facing_open_source(struct facing *f, uint64_t low, uint64_t high);

/** facing_open_target() - A destination that doesn't listen yet. */
void facing_open_target(struct facing *f, uint64_t low, uint64_t high);

/** facing_hang_up() - The peer goes, which ends a migration that has begun. */
void facing_hang_up(struct facing *f);

/** facing_close() - End both. */
void facing_close(struct facing *f);

/*
 * The same as a test's set-up and teardown: a source that hasn't begun, half of
 * its memory written, or a destination that listens; of little patience.
 */
int facing_init_source(void **state);
int facing_init_target(void **state);
int facing_exit(void **state);

/** facing_init_hasty_target() - It soon loses patience: after 3 s. */
int facing_init_hasty_target(void **state);

/** facing_meet_source() - The source begins; its HELLO has come. */
void facing_meet_source(struct facing *f);

/** facing_answer_hello() - The same, and it is answered. */
void facing_answer_hello(struct facing *f);

/** facing_meet_target() - The peer is let in by a destination that listens. */
void facing_meet_target(struct facing *f);

/** facing_acknowledge() - All of @round has come. */
void facing_acknowledge(struct facing *f, uint32_t round);

/** facing_play_along() - Answer what came last, without keeping anything. */
void facing_play_along(struct facing *f);

/**
 * facing_play_until() - Play along, without keeping anything, until the source
 * sends @stage.
 */
void facing_play_until(struct facing *f, uint16_t stage);

/** facing_assert_says() - It failed, and @error is part of its words. */
void facing_assert_says(struct facing *f, const char *error);

/** facing_assert_stayed() - It failed, says @error; the guest runs there. */
void facing_assert_stayed(struct facing *f, const char *error);

#endif
