/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The door of a listening end: accepts connections, goes through the handshake
 * with many callers at once, and lets in the first that gets through it.
 *
 * What a caller costs before it is known is bounded: a slot of DOOR_CALLERS
 * and DOOR_TIMEOUT_NS.  When all slots are taken the caller that has said
 * least, and of these the oldest, makes room: callers that only connect can't
 * keep out one that speaks.  Refusals are logged, but no more than a few a
 * second; the rest are counted.
 */
#ifndef UMIG_TRANSPORT_DOOR_H
#define UMIG_TRANSPORT_DOOR_H

#include "lib/err.h"
#include "transport/credentials.h"
#include "transport/session.h"

#define DOOR_CALLERS 64
#define DOOR_TIMEOUT_NS 5000000000ULL

struct door;

/**
 * door_open() - Listen.
 * @address: "HOST:PORT".
 * @credentials: borrowed; NULL: plain connections and no others.
 */
int door_open(struct door **out, const char *address,
	      const struct credentials *credentials, struct err *err);

/** door_close() - Close it and send all callers away.  NULL is fine. */
void door_close(struct door *d);

/**
 * door_set_deadline() - door_wait() ends with -ETIMEDOUT at @deadline_ns (of
 * clock_now_ns()); 0, as at first: never.
 */
void door_set_deadline(struct door *d, uint64_t deadline_ns);

/** door_port() - The port that it listens at. */
int door_port(const struct door *d);

/**
 * door_wait() - Wait for a caller that gets through its handshake.
 * @cancel_fd: an eventfd: ends the wait once readable; or -1.
 * @session: set.
 * @from: set to the caller's address as text.
 *
 * Other callers are left where they are, for the next call.
 *
 * Return: a connected blocking socket, the caller's from now on; -ECANCELED;
 * -ETIMEDOUT; or -errno with words in @err.
 */
int door_wait(struct door *d, int cancel_fd, struct session *session,
	      char *from, unsigned int room, struct err *err);

#endif
