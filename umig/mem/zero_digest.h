/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The digest of zero pages, which is learnt from the first that has one.
 *
 * KSM merges zero pages as it does any others, unless use_zero_pages says
 * otherwise; but who is told that a page is zero needs neither a digest nor
 * memory for it.
 */
#ifndef UMIG_MEM_ZERO_DIGEST_H
#define UMIG_MEM_ZERO_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "mem/digest_source.h"

/* Of so many pages none was zero: the next won't be either. */
#define ZERO_DIGEST_LOOKS 65536

/**
 * struct zero_digest - @digest, if it is @known.  Zero-initialise.
 * @looks: pages that were looked at in vain while it wasn't.
 */
struct zero_digest {
	bool known;
	uint32_t looks;
	digest_t digest;
};

/**
 * zero_digest_sort() - Of @pages pages at @hva, those DIGEST_KNOWN that are zero
 * become DIGEST_ZERO.
 * @classes, @digests: as of &digest_source.range.
 *
 * A page may have been written since its digest was looked up, also that which
 * the digest is learnt from: so each is looked at, and what isn't zero stays
 * what it was.  Once the digest is known, or has been looked for in vain for too
 * long, others aren't touched.
 */
void zero_digest_sort(struct zero_digest *z, const void *hva,
		      unsigned int pages, uint8_t *classes,
		      const digest_t *digests);

#endif
