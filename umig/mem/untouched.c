// SPDX-License-Identifier: GPL-2.0
/*
 * Untouched pages: see untouched.h.
 */
#include "mem/untouched.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/bitmap.h"

/* Of an entry of /proc/PID/pagemap (proc(5)): mapped, or on its way. */
#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_SWAPPED (1ULL << 62)

void untouched_open(struct untouched *u, const struct memslots *ms)
{
	u->fd = ms->anonymous ? open("/proc/self/pagemap",
				     O_RDONLY | O_CLOEXEC) : -1;
}

void untouched_close(struct untouched *u)
{
	if (u->fd >= 0)
		close(u->fd);
	u->fd = -1;
}

int untouched_find(const struct untouched *u, const void *hva, unsigned int n,
		   uint64_t *map)
{
	uint64_t entry[UNTOUCHED_MAX];
	ssize_t bytes = n * sizeof(entry[0]);
	off_t at = (uintptr_t)hva / UMIG_PAGE_SIZE * sizeof(entry[0]);
	unsigned int i;
	int found = 0;

	assert(n <= UNTOUCHED_MAX);
	memset(map, 0, UNTOUCHED_MAX / 8);
	if (u->fd < 0 || pread(u->fd, entry, bytes, at) != bytes)
		return -ENODATA;
	for (i = 0; i < n; i++) {
		if (entry[i] & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED))
			continue;
		bitmap_set(map, i);
		found++;
	}
	return found;
}
