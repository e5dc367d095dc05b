/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TCP connections for channels: resolve, listen, accept, connect.  Every wait
 * ends when @cancel_fd (an eventfd, or -1) becomes readable.
 */
#ifndef UMIG_TRANSPORT_TCP_H
#define UMIG_TRANSPORT_TCP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/err.h"

/**
 * tcp_listen() - Listen at "HOST:PORT" or "[V6]:PORT".
 *
 * Return: a socket that doesn't block, or -errno with words in @err.
 */
int tcp_listen(const char *address, struct err *err);

/**
 * tcp_accept() - Take a connection, if there is one.
 * @from: set to the address of its other end, and
 * @text: to the same as text.
 *
 * Return: a socket that doesn't block; -EAGAIN: there is none; or -errno.
 */
int tcp_accept(int listen_fd, struct sockaddr_storage *from, char *text,
	       unsigned int room, struct err *err);

/** tcp_set_blocking() - Whether reads and writes wait. */
int tcp_set_blocking(int fd, bool blocking);

/**
 * tcp_wait() - Wait until @events (as of poll) are due.
 *
 * Return: 0, -ECANCELED, -ETIMEDOUT, or -errno.
 */
int tcp_wait(int fd, short events, int cancel_fd, int timeout_ms);

#define TCP_HOST_MAX 256

/** tcp_host() - The HOST of "HOST:PORT", without brackets: 0 or -EINVAL. */
int tcp_host(const char *address, char host[TCP_HOST_MAX], struct err *err);

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
