/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bitmaps over 64-bit words, of any length, for one thread or under the
 * caller's lock.
 */
#ifndef UMIG_LIB_BITMAP_H
#define UMIG_LIB_BITMAP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define BITMAP_WORDS(bits) (((bits) + 63) / 64)

static inline uint64_t *bitmap_alloc(uint64_t bits)
{
	return calloc(BITMAP_WORDS(bits) ? BITMAP_WORDS(bits) : 1,
		      sizeof(uint64_t));
}

static inline bool bitmap_test(const uint64_t *map, uint64_t bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

static inline void bitmap_set(uint64_t *map, uint64_t bit)
{
	map[bit / 64] |= 1ULL << (bit % 64);
}

static inline void bitmap_clear(uint64_t *map, uint64_t bit)
{
	map[bit / 64] &= ~(1ULL << (bit % 64));
}

/** bitmap_set_run() - Set @n bits from @bit on; how many were clear. */
uint64_t bitmap_set_run(uint64_t *map, uint64_t bit, uint64_t n);

/** bitmap_clear_run() - Clear @n bits from @bit on. */
void bitmap_clear_run(uint64_t *map, uint64_t bit, uint64_t n);

/** bitmap_count() - Bits set among the first @bits. */
uint64_t bitmap_count(const uint64_t *map, uint64_t bits);

/** bitmap_next() - First set bit at or after @from, or @bits. */
uint64_t bitmap_next(const uint64_t *map, uint64_t bits, uint64_t from);

/** bitmap_next_clear() - First clear bit at or after @from, or @bits. */
uint64_t bitmap_next_clear(const uint64_t *map, uint64_t bits, uint64_t from);

#endif
