// SPDX-License-Identifier: GPL-2.0
/*
 * A channel's memory: see buffers.h.
 */
#include "transport/buffers.h"

#include <errno.h>
#include <sys/mman.h>

#define HUGE_BYTES (2UL << 20)
/* Up to a huge page more than is used, to begin where it pleases. */
#define MAP_BYTES \
	(HUGE_BYTES + RECV_BUFFER_BYTES + SEND_BUFFERS * SEND_BUFFER_BYTES)

int buffers_init(struct buffers *b)
{
	uint8_t *map = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *huge;

	*b = (struct buffers){ 0 };
	if (map == MAP_FAILED)
		return -ENOMEM;
	huge = map + RECV_SMALL_BYTES;
	huge += -(uintptr_t)huge % HUGE_BYTES;
	/* where there are none, small ones do */
	madvise(huge, RECV_HUGE_BYTES, MADV_HUGEPAGE);
	b->map = map;
	b->recv = huge - RECV_SMALL_BYTES;
	b->send = b->recv + RECV_BUFFER_BYTES;
	return 0;
}

void buffers_exit(struct buffers *b)
{
	if (b->map)
		munmap(b->map, MAP_BYTES);
	*b = (struct buffers){ 0 };
}
