/* SPDX-License-Identifier: GPL-2.0 */
/* Whether a page is all zeroes. */
#ifndef UMIG_MEM_ZERO_H
#define UMIG_MEM_ZERO_H

#include <stdbool.h>
#include <stdint.h>

/**
 * page_is_zero() - Whether 4096 bytes at @page, 8-byte aligned, are zero.
 *
 * Other threads may write the page meanwhile: the answer is then of no worth,
 * which the dirty log will tell.
 */
static inline bool page_is_zero(const void *page)
{
	const uint64_t *p = page;
	unsigned int i;

	/* most pages that aren't zero show it in their first words */
	if (p[0] | p[1] | p[255] | p[511])
		return false;
	for (i = 0; i < 512; i += 8)
		if (p[i] | p[i + 1] | p[i + 2] | p[i + 3] | p[i + 4] |
		    p[i + 5] | p[i + 6] | p[i + 7])
			return false;
	return true;
}

#endif
