/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TCP connections for channels: resolve, listen, accept, connect.  Every wait
 * ends when @cancel_fd (an eventfd, or -1) becomes readable.
 */
#ifndef UMIG_TRANSPORT_TCP_H
#define UMIG_TRANSPORT_TCP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

/**
 * tcp_listen() - Listen at "HOST:PORT" or "[V6]:PORT".
 * @loopback: set to whether only this host can reach it; may be NULL.
 *
 * Return: a socket, or -errno with words in @err.
 */
int tcp_listen(const char *address, bool *loopback, struct err *err);

/**
 * tcp_accept() - Wait for a peer.
 * @peer: set to its address as text.
 *
 * Return: a socket, -ECANCELED, or -errno.
 */
int tcp_accept(int listen_fd, int cancel_fd, char *peer, unsigned int room,
	       struct err *err);

/**
 * tcp_set_timeout() - End the connection when bytes have not been acknowledged
 * for so long.
 */
void tcp_set_timeout(int fd, uint64_t timeout_ns);

/** tcp_connect() - Connect within @timeout_ns.  As tcp_listen(). */
int tcp_connect(const char *address, int cancel_fd, uint64_t timeout_ns,
		struct err *err);

/** tcp_local_port() - The port that a listening socket got. */
int tcp_local_port(int fd);

#endif
