/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a TCP connection's way takes, as the kernel counts it (TCP_INFO, since
 * Linux 4.10): unlike the time that a write takes, it is neither hidden by a
 * socket's buffer nor made longer by a peer, or by ourselves, who had no CPU.
 */
#ifndef UMIG_TRANSPORT_TCP_PATH_H
#define UMIG_TRANSPORT_TCP_PATH_H

#include <stdint.h>

/**
 * struct tcp_path - Since the connection was made.
 * @bytes: of ours that the peer's kernel has taken.
 * @busy_ns: for how long there were any on their way, less the time in which the
 *	peer had no room for more.  In steps of the kernel's tick.
 */
struct tcp_path {
	uint64_t bytes;
	uint64_t busy_ns;
};

/** tcp_path_read() - Of @fd: 0 or -errno, such as -EOPNOTSUPP: it isn't TCP. */
int tcp_path_read(int fd, struct tcp_path *out);

#endif
