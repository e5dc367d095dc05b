// SPDX-License-Identifier: GPL-2.0
/*
 * Guest RAM as devices reach it: see guest_mem.h.
 */
#include "vmm/guest_mem.h"

#include <errno.h>
#include <string.h>

void *guest_ptr(const struct guest_mem *mem, uint64_t gpa, uint64_t bytes)
{
	const struct memslot *s = memslots_find(mem->slots,
						gpa >> UMIG_PAGE_SHIFT);
	uint64_t offset;

	if (!s)
		return NULL;
	offset = gpa - (s->gfn << UMIG_PAGE_SHIFT);
	if (bytes > (s->pages << UMIG_PAGE_SHIFT) - offset)
		return NULL;
	return s->hva + offset;
}

void guest_dirtied(const struct guest_mem *mem, uint64_t gpa, uint64_t bytes)
{
	uint64_t first = gpa >> UMIG_PAGE_SHIFT;

	if (!bytes || !mem->dirty)
		return;
	dirty_mark(mem->dirty, first,
		   ((gpa + bytes - 1) >> UMIG_PAGE_SHIFT) - first + 1);
}

int guest_write(const struct guest_mem *mem, uint64_t gpa, const void *data,
		uint64_t bytes)
{
	void *at = guest_ptr(mem, gpa, bytes);

	if (!at)
		return -EFAULT;
	memcpy(at, data, bytes);
	guest_dirtied(mem, gpa, bytes);
	return 0;
}
