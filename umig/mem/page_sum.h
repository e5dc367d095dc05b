/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sums of pages: whether 4096 bytes are still those that were summed, at a
 * small part of a digest's cost.
 *
 * This is NH (Black, Halevi, Krawczyk, Krovetz, Rogaway: "UMAC", CRYPTO 1999)
 * over 64-bit words, with a key as long as the page:
 *
 *	sum = (m0 + k0)(m1 + k1) + (m2 + k2)(m3 + k3) + ...  mod 2^128
 *
 * where the additions inside the brackets are mod 2^64.  Any two different
 * pages have one sum for at most 1 of 2^64 keys.  So it is as good as comparing
 * the bytes, to who doesn't know the key when the bytes are chosen: a guest
 * doesn't.  It is no digest: who knows the key finds pages of one sum.
 */
#ifndef UMIG_MEM_PAGE_SUM_H
#define UMIG_MEM_PAGE_SUM_H

#include <stdint.h>

#define PAGE_SUM_BYTES 16
#define PAGE_SUM_SEED_BYTES 32
#define PAGE_SUM_WORDS 512

/** struct page_sum_key - As long as a page. */
struct page_sum_key {
	uint64_t word[PAGE_SUM_WORDS];
};

typedef struct page_sum {
	uint8_t b[PAGE_SUM_BYTES];
} page_sum_t;

/** page_sum_key_init() - The key that every host makes of @seed. */
void page_sum_key_init(struct page_sum_key *key,
		       const uint8_t seed[PAGE_SUM_SEED_BYTES]);

/**
 * page_sum() - The sum of 4096 bytes at @page, 8-byte aligned.
 *
 * If somebody writes them meanwhile it is the sum of no state that they had.
 */
page_sum_t page_sum(const struct page_sum_key *key, const void *page);

#endif
