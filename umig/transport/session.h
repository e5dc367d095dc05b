/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the two ends of a connection agreed on before the first frame: made by
 * a handshake, used up by channel_open().
 */
#ifndef UMIG_TRANSPORT_SESSION_H
#define UMIG_TRANSPORT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/peers.h"
#include "crypto/record.h"

/**
 * struct session - One connection's.  Holds keys: session_wipe() it.
 * @version: of the protocol, the newest that both ends speak.
 * @sealed: frames travel in records; else as they are, and what follows is
 *	not set.
 * @tx: seals what is sent,
 * @rx: opens what is received.
 * @peer: who is at the other end, as the peers file had it at that moment.
 */
struct session {
	uint16_t version;
	bool sealed;
	struct record_key tx;
	struct record_key rx;
	struct peer peer;
};

/** session_wipe() - Forget the keys. */
void session_wipe(struct session *s);

#endif
