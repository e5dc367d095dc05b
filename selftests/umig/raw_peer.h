/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A peer made of raw frames on a blocking socket: it says what a test wants it
 * to say, right or wrong.
 */
#ifndef SELFTESTS_RAW_PEER_H
#define SELFTESTS_RAW_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem/memslots.h"
#include "wire/frame.h"

struct raw_peer {
	int fd;
	uint16_t version;	/* that it speaks, and no other; 0: all */
	uint64_t tx_sequence;
	uint64_t rx_sequence;
	bool keepalive_too;	/* don't pass over KEEPALIVE */
	/* the last frame received */
	uint16_t type;
	uint32_t bytes;
	uint8_t payload[WIRE_PAYLOAD_MAX];
};

/** raw_peer_listen() - Listen on loopback; the socket, the address. */
int raw_peer_listen(char *address, size_t room);
void raw_peer_accept(struct raw_peer *p, int listen_fd);
/** raw_peer_dial() - Connect, and say nothing yet. */
void raw_peer_dial(struct raw_peer *p, const char *address);
/** raw_peer_connect() - Connect, with the plain handshake. */
void raw_peer_connect(struct raw_peer *p, const char *address);
void raw_peer_close(struct raw_peer *p);

void raw_peer_send(struct raw_peer *p, uint16_t type, const void *payload,
		   size_t bytes);
void raw_peer_hello(struct raw_peer *p, const struct memslots *ms,
		    const char *model, uint32_t flags);

/** raw_peer_run() - A PAGES of one run, each page with its part of @payload. */
void raw_peer_run(struct raw_peer *p, uint32_t round, uint64_t gfn,
		  uint32_t pages, uint8_t class, const void *payload,
		  size_t bytes);

/** raw_peer_recv() - The next frame; false: end of stream. */
bool raw_peer_recv(struct raw_peer *p);

/** raw_peer_skip_to() - Receive until a frame of @type; false: none came. */
bool raw_peer_skip_to(struct raw_peer *p, uint16_t type);

#endif
