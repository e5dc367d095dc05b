// SPDX-License-Identifier: GPL-2.0
/*
 * The end-to-end check: see verify.h.
 */
#include "migrate/verify.h"

#include <endian.h>
#include <sodium.h>

#include "mem/zero.h"

void verify_digest(const struct memslots *ms, uint32_t chunk, digest_t *out)
{
	uint64_t index = chunk * verify_chunk_pages(ms);
	uint64_t end = index + verify_chunk_pages(ms);
	crypto_generichash_state state;

	if (end > ms->pages)
		end = ms->pages;
	crypto_generichash_init(&state, NULL, 0, sizeof(out->b));
	for (; index < end; index++) {
		const void *page = memslots_hva(ms, memslots_gfn(ms, index));
		uint64_t le = htole64(index);

		if (page_is_zero(page))
			continue;
		crypto_generichash_update(&state, (const uint8_t *)&le,
					  sizeof(le));
		crypto_generichash_update(&state, page, UMIG_PAGE_SIZE);
	}
	crypto_generichash_final(&state, out->b, sizeof(out->b));
}
