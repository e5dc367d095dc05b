/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packing: a PAGES payload to a PACKED one and back.  A batch is packed whole,
 * since single pages compress worse and slower, and stands alone.  What to pack
 * with is another's decision (pack_policy.h).
 *
 * A packer and an unpacker belong to one thread each.  Their codecs' memory is
 * allocated once (Zstandard's at the first use of a level) and used again for
 * every batch; batches are bounded by WIRE_PAYLOAD_MAX, and so is that memory.
 */
#ifndef UMIG_MIGRATE_PACK_H
#define UMIG_MIGRATE_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "wire/packed.h"

/* Levels of Zstandard: above these its memory and time are out of proportion. */
#define PACK_LEVEL_MIN 1
#define PACK_LEVEL_MAX 9
#define PACK_LEVEL_DEFAULT 1
/* A batch that doesn't lose this part of itself goes as it is. */
#define PACK_GAIN_MIN 32

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

/**
 * struct pack_plan - What to do with a batch.
 * @codec: &enum wire_codec; 0: leave it as it is.
 * @level: of Zstandard; else 0.
 */
struct pack_plan {
	uint8_t codec;
	uint8_t level;
};

/** struct packer - Compression contexts.  Zero-initialise. */
struct packer {
	void *lz4;
	struct ZSTD_CCtx_s *zstd;
};

/** struct unpacker - A decompression context.  Zero-initialise. */
struct unpacker {
	struct ZSTD_DCtx_s *zstd;
};

/** packer_init() - 0 or -ENOMEM. */
int packer_init(struct packer *p);
void packer_exit(struct packer *p);

/**
 * pack() - Write a PACKED payload.
 * @plan: with a codec.
 * @payload: a PAGES payload, or some part of one to try a plan on.
 * @room: for the result; as much as @payload is always enough.
 * @out: the result's length, header included.
 *
 * Return: 0; -ENOSPC: it would not get smaller by a PACK_GAIN_MINth, or not fit
 * into @room: @room's bytes are of no use; -ENOMEM.
 */
int pack(struct packer *p, struct pack_plan plan, const void *payload,
	 size_t bytes, void *room, size_t room_bytes, size_t *out);

/** unpacker_init() - 0 or -ENOMEM. */
int unpacker_init(struct unpacker *u);
void unpacker_exit(struct unpacker *u);

/**
 * unpack() - Read a PACKED payload, of a peer that may lie.
 * @room: for the PAGES payload: WIRE_PAYLOAD_MAX bytes are always enough.
 * @out: its length.
 *
 * Nothing is written outside of @room, and no memory allocated for what the
 * bytes claim.
 *
 * Return: 0; -EBADMSG: malformed, or it unpacks to another length than it says;
 * -ENOSPC: that is more than @room_bytes.
 */
int unpack(struct unpacker *u, const void *data, size_t bytes, void *room,
	   size_t room_bytes, size_t *out);

#endif
