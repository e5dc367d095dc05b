/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Huge pages for memory that is about to be written whole: one page fault in
 * place of 512.  Only where all of it will be used: a huge page that is half
 * zero has taken memory for nothing.
 */
#ifndef UMIG_MEM_HUGE_H
#define UMIG_MEM_HUGE_H

#include <stdbool.h>
#include <stdint.h>

#include "mem/memslots.h"

#define HUGE_PAGES 512
#define HUGE_BYTES (HUGE_PAGES * UMIG_PAGE_SIZE)

/** huge_usable() - Whether this host makes huge pages of 2 MiB on advice. */
bool huge_usable(void);

/** huge_aligned() - Whether a huge page can begin at @hva. */
static inline bool huge_aligned(const void *hva)
{
	return (uintptr_t)hva % HUGE_BYTES == 0;
}

/**
 * huge_populate() - Give the HUGE_BYTES at @hva memory: one huge page if the
 * kernel has one, else small ones.
 *
 * Of anonymous memory that was advised MADV_NOHUGEPAGE, and is so again
 * afterwards.  Changes no byte, so others may write there meanwhile.  Does its
 * best: what isn't populated costs a page fault later.
 */
void huge_populate(void *hva);

#endif
