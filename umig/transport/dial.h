/* SPDX-License-Identifier: GPL-2.0 */
/* Connect to a listening end and go through the handshake with it. */
#ifndef UMIG_TRANSPORT_DIAL_H
#define UMIG_TRANSPORT_DIAL_H

#include <stdint.h>

#include "lib/err.h"
#include "transport/credentials.h"
#include "transport/session.h"

/**
 * dial() - As above.
 * @address: "HOST:PORT".
 * @credentials: NULL: a plain connection.
 * @peer: whom to expect, by name; NULL: the peer that has that address.
 * @cancel_fd: an eventfd: ends the wait once readable; or -1.
 * @timeout_ns: for connecting, and again for the handshake.
 * @session: set.
 *
 * Return: a connected blocking socket, the caller's; -ECANCELED; or -errno
 * with words in @err.
 */
int dial(const char *address, const struct credentials *credentials,
	 const char *peer, int cancel_fd, uint64_t timeout_ns,
	 struct session *session, struct err *err);

#endif
