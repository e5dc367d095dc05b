// SPDX-License-Identifier: GPL-2.0
/*
 * Sums of pages: see page_sum.h.
 */
#include "mem/page_sum.h"

#include <endian.h>
#include <string.h>

#include <sodium.h>

_Static_assert(PAGE_SUM_SEED_BYTES == randombytes_SEEDBYTES, "one seed size");

void page_sum_key_init(struct page_sum_key *key,
		       const uint8_t seed[PAGE_SUM_SEED_BYTES])
{
	unsigned int i;

	randombytes_buf_deterministic(key->word, sizeof(key->word), seed);
	for (i = 0; i < PAGE_SUM_WORDS; i++)
		key->word[i] = le64toh(key->word[i]);
}

static inline unsigned __int128 pair(const uint64_t *k, const uint64_t *m)
{
	return (unsigned __int128)(le64toh(m[0]) + k[0]) *
	       (le64toh(m[1]) + k[1]);
}

page_sum_t page_sum(const struct page_sum_key *key, const void *page)
{
	/* two sums, so that one addition needn't wait for the other */
	unsigned __int128 even = 0, odd = 0;
	const uint64_t *k = key->word, *m = page;
	uint64_t half[2];
	page_sum_t out;
	unsigned int i;

	for (i = 0; i < PAGE_SUM_WORDS; i += 4) {
		even += pair(k + i, m + i);
		odd += pair(k + i + 2, m + i + 2);
	}
	even += odd;
	half[0] = htole64((uint64_t)even);
	half[1] = htole64((uint64_t)(even >> 64));
	memcpy(out.b, half, sizeof(out.b));
	return out;
}
