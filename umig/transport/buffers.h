/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A channel's memory: what it sends from, a buffer a frame, and what it
 * receives into:
 *
 *   | recv: small pages, then huge ones | send 0 | send 1 | ...
 *                        ^ huge page's boundary
 *
 * Who gets little but short words has no more than a few small pages of it; who
 * gets guest memory, all of that through here, has the fewest page faults and
 * TLB misses.  Pages come when they are first used.
 */
#ifndef UMIG_TRANSPORT_BUFFERS_H
#define UMIG_TRANSPORT_BUFFERS_H

#include <stddef.h>
#include <stdint.h>

#include "transport/sealed.h"
#include "wire/frame.h"

#define SEND_BUFFERS 4
#define FRAME_MAX \
	(sizeof(struct wire_frame) + WIRE_PAYLOAD_MAX + SEALED_OVERHEAD)
#define SEND_BUFFER_BYTES ((FRAME_MAX + 4095) & ~4095UL)
/* Two frames, or more. */
#define RECV_SMALL_BYTES (64UL << 10)
#define RECV_HUGE_BYTES (4UL << 20)
#define RECV_BUFFER_BYTES (RECV_SMALL_BYTES + RECV_HUGE_BYTES)

_Static_assert(RECV_BUFFER_BYTES >= 2 * FRAME_MAX, "room for two frames");

/** struct buffers - @map: all that is mapped; NULL: nothing. */
struct buffers {
	void *map;
	uint8_t *recv;
	uint8_t *send;
};

/** buffers_init() - 0, or -ENOMEM. */
int buffers_init(struct buffers *b);
void buffers_exit(struct buffers *b);

#endif
