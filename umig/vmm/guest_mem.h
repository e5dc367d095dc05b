/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest RAM as devices reach it: an address of the guest's is hostile input,
 * and what a device writes must be told to the dirty log.
 */
#ifndef UMIG_VMM_GUEST_MEM_H
#define UMIG_VMM_GUEST_MEM_H

#include <stdint.h>

#include "mem/dirty.h"
#include "mem/memslots.h"

/**
 * struct guest_mem - Guest RAM.
 * @slots: where it is.
 * @dirty: who wants to know of writes; NULL: nobody (tests).
 */
struct guest_mem {
	const struct memslots *slots;
	struct dirty *dirty;
};

/**
 * guest_ptr() - Where [@gpa, @gpa + @bytes) is mapped, or NULL unless all of
 * it is RAM of one slot.  @bytes may be 0.
 */
void *guest_ptr(const struct guest_mem *mem, uint64_t gpa, uint64_t bytes);

/** guest_dirtied() - [@gpa, @gpa + @bytes), RAM, has been written. */
void guest_dirtied(const struct guest_mem *mem, uint64_t gpa, uint64_t bytes);

/** guest_write() - Copy into guest RAM; -EFAULT if it isn't RAM. */
int guest_write(const struct guest_mem *mem, uint64_t gpa, const void *data,
		uint64_t bytes);

#endif
