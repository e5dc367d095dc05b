// SPDX-License-Identifier: GPL-2.0
/*
 * The digest of zero pages: see zero_digest.h.
 */
#include "mem/zero_digest.h"

#include <string.h>

#include "mem/memslots.h"
#include "mem/zero.h"

static bool may_be_zero(const struct zero_digest *z, const digest_t *digest)
{
	return z->known ? !memcmp(digest, &z->digest, sizeof(*digest)) :
			  z->looks < ZERO_DIGEST_LOOKS;
}

/* If it had the digest that is known, that may be wrong: forget it. */
static void is_not_zero(struct zero_digest *z)
{
	z->known = false;
	z->looks++;
}

void zero_digest_sort(struct zero_digest *z, const void *hva,
		      unsigned int pages, uint8_t *classes,
		      const digest_t *digests)
{
	const uint8_t *page = hva;
	unsigned int i;

	for (i = 0; i < pages; i++, page += UMIG_PAGE_SIZE) {
		if (classes[i] != DIGEST_KNOWN || !may_be_zero(z, &digests[i]))
			continue;
		if (!page_is_zero(page)) {
			is_not_zero(z);
			continue;
		}
		classes[i] = DIGEST_ZERO;
		z->digest = digests[i];
		z->known = true;
	}
}
