// SPDX-License-Identifier: GPL-2.0
/*
 * A connection's way: see tcp_path.h.
 */
#include "transport/tcp_path.h"

#include <errno.h>
#include <stddef.h>
#include <netinet/in.h>
/* the C library's may be older than what is asked for */
#include <linux/tcp.h>
#include <sys/socket.h>

#define NS_PER_US 1000

int tcp_path_read(int fd, struct tcp_path *out)
{
	struct tcp_info info;
	socklen_t bytes = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes))
		return -errno;
	if (bytes < offsetof(struct tcp_info, tcpi_sndbuf_limited))
		return -EOPNOTSUPP;
	*out = (struct tcp_path){
		.bytes = info.tcpi_bytes_acked,
		.busy_ns = (info.tcpi_busy_time - info.tcpi_rwnd_limited) *
			   NS_PER_US,
	};
	return 0;
}
