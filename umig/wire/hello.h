/* SPDX-License-Identifier: GPL-2.0 */
/*
 * HELLO, the first frame of both sides.  The protocol's version was agreed on
 * before it, with the connection (preface.h).
 */
#ifndef UMIG_WIRE_HELLO_H
#define UMIG_WIRE_HELLO_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "mem/memslots.h"
#include "wire/machine.h"

#define WIRE_KEY_ID_BYTES 16
/* HELLO flags */
#define WIRE_HELLO_SOURCE (1U << 0)	/* sender has the guest */
#define WIRE_HELLO_DIGESTS (1U << 1)	/* @key_id is valid */
#define WIRE_HELLO_VERIFY (1U << 2)	/* source: VERIFY will come */
#define WIRE_HELLO_FULL_PROOF (1U << 3)	/* destination: prove whole pages */
#define WIRE_HELLO_LZ4 (1U << 4)	/* destination: PACKED may be LZ4 */
#define WIRE_HELLO_ZSTD (1U << 5)	/* destination: PACKED may be Zstandard */
#define WIRE_HELLO_CODECS (WIRE_HELLO_LZ4 | WIRE_HELLO_ZSTD)
#define WIRE_HELLO_FLAGS 63U

/**
 * struct hello - A decoded HELLO.  Zero-initialise, hello_free().
 * @flags: WIRE_HELLO_*.
 * @key_id: which key its digests are made with.
 * @slots: RAM layout: gfn and pages of each slot, hva unset.
 * @machine: what its guest sees.
 */
struct hello {
	uint32_t flags;
	uint8_t key_id[WIRE_KEY_ID_BYTES];
	struct memslots slots;
	struct machine machine;
};

void hello_encode(const struct hello *h, struct buf *out);

/**
 * hello_decode() - Take a HELLO from the wire.
 *
 * Return: 0; -EBADMSG: malformed, with words in @err.
 */
int hello_decode(struct hello *h, const void *data, size_t bytes,
		 struct err *err);

void hello_free(struct hello *h);

#endif
