/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Digests of which possession proofs have failed, and how often: the
 * destination doesn't confirm them again to this source, and after some
 * failures doesn't hear of them any more, under whatever numbers they were
 * offered.  They are remembered by 64-bit tags with a key of this migration's
 * own, since a source that lies can choose digests that collide; a collision of
 * tags costs a page sent whole.  One thread.
 */
#ifndef UMIG_MIGRATE_UNPROVEN_H
#define UMIG_MIGRATE_UNPROVEN_H

#include <stdint.h>

#include "mem/digest_source.h"

#define UNPROVEN_KEY_BYTES 16

struct unproven_slot {
	uint64_t tag;		/* 0: empty */
	uint64_t times;
};

/**
 * struct unproven - A hash table by tags, open addressing.
 * @key: of the tags.
 */
struct unproven {
	uint8_t key[UNPROVEN_KEY_BYTES];
	struct unproven_slot *table;
	uint64_t slots;
	uint64_t nr;
};

void unproven_init(struct unproven *u);
void unproven_exit(struct unproven *u);

/** unproven_tag() - What a digest is remembered by, never 0. */
uint64_t unproven_tag(const struct unproven *u, const digest_t *digest);

/** unproven_add() - A proof failed; 0 or -ENOMEM. */
int unproven_add(struct unproven *u, uint64_t tag);

/** unproven_times() - How many proofs have failed. */
uint64_t unproven_times(const struct unproven *u, uint64_t tag);

#endif
