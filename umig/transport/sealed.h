/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A frame as it travels on a sealed connection: one record a frame.  Pure
 * functions over bytes.
 *
 *   0        4                        4 + length     20 + length
 *   | length | frame: header, payload | tag          |
 *   '- clear '- encrypted             '- over all of it
 *
 * A record's number is the nonce and does not travel: one that is missing,
 * repeated, moved or changed does not open.
 */
#ifndef UMIG_TRANSPORT_SEALED_H
#define UMIG_TRANSPORT_SEALED_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/record.h"
#include "wire/frame.h"

#define SEALED_HEAD_BYTES 4
#define SEALED_OVERHEAD (SEALED_HEAD_BYTES + RECORD_TAG_SIZE)
#define SEALED_KEEPALIVE_BYTES (SEALED_OVERHEAD + sizeof(struct wire_frame))

/**
 * sealed_seal() - Seal a frame.
 * @at: SEALED_HEAD_BYTES of room, the frame, RECORD_TAG_SIZE of room.
 * @frame_bytes: of the frame.
 *
 * Return: 0, or as record_seal().
 */
int sealed_seal(struct record_key *key, uint8_t *at, size_t frame_bytes);

/**
 * sealed_seal_pieces() - The same for a frame part of which lies elsewhere.
 * @pieces: of the frame, as for record_seal_pieces(): its own are at their
 *	places behind @at + SEALED_HEAD_BYTES.
 * @nr: how many.
 */
int sealed_seal_pieces(struct record_key *key, uint8_t *at, size_t frame_bytes,
		       const struct iovec *pieces, unsigned int nr);

/**
 * sealed_frame_bytes() - The length of the frame in a record.
 * @at: SEALED_HEAD_BYTES.
 *
 * Return: 0, or -EPROTO: no frame has that length.
 */
int sealed_frame_bytes(const uint8_t *at, size_t *frame_bytes);

/**
 * sealed_open() - Open a record: the frame is at @at + SEALED_HEAD_BYTES then.
 *
 * Return: 0; -EBADMSG: it is not the record that is due.
 */
int sealed_open(struct record_key *key, uint8_t *at, size_t frame_bytes);

#endif
