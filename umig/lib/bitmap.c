// SPDX-License-Identifier: GPL-2.0
/*
 * Bitmaps: see bitmap.h.
 */
#include "lib/bitmap.h"

/* The bits of word @i that are in [@bit, @bit + @n), @n > 0. */
static uint64_t run_mask(uint64_t i, uint64_t bit, uint64_t n)
{
	uint64_t last = bit + n - 1, mask = ~0ULL;

	if (i == bit / 64)
		mask &= ~0ULL << bit % 64;
	if (i == last / 64)
		mask &= ~0ULL >> (63 - last % 64);
	return mask;
}

uint64_t bitmap_set_run(uint64_t *map, uint64_t bit, uint64_t n)
{
	uint64_t i, fresh = 0;

	for (i = bit / 64; n && i <= (bit + n - 1) / 64; i++) {
		uint64_t mask = run_mask(i, bit, n);

		fresh += __builtin_popcountll(mask & ~map[i]);
		map[i] |= mask;
	}
	return fresh;
}

void bitmap_clear_run(uint64_t *map, uint64_t bit, uint64_t n)
{
	uint64_t i;

	for (i = bit / 64; n && i <= (bit + n - 1) / 64; i++)
		map[i] &= ~run_mask(i, bit, n);
}

uint64_t bitmap_count(const uint64_t *map, uint64_t bits)
{
	uint64_t count = 0, i;

	for (i = 0; i < bits / 64; i++)
		count += __builtin_popcountll(map[i]);
	if (bits % 64)
		count += __builtin_popcountll(map[i] &
					      ((1ULL << (bits % 64)) - 1));
	return count;
}

/* First bit at or after @from whose word, xored with @flip, has it set. */
static uint64_t find(const uint64_t *map, uint64_t bits, uint64_t from,
		     uint64_t flip)
{
	uint64_t i, word;

	if (from >= bits)
		return bits;
	i = from / 64;
	word = (map[i] ^ flip) & (~0ULL << (from % 64));
	while (!word) {
		if (++i >= BITMAP_WORDS(bits))
			return bits;
		word = map[i] ^ flip;
	}
	from = i * 64 + __builtin_ctzll(word);
	return from < bits ? from : bits;
}

uint64_t bitmap_next(const uint64_t *map, uint64_t bits, uint64_t from)
{
	return find(map, bits, from, 0);
}

uint64_t bitmap_next_clear(const uint64_t *map, uint64_t bits, uint64_t from)
{
	return find(map, bits, from, ~0ULL);
}
