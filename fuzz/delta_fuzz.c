// SPDX-License-Identifier: GPL-2.0
/*
 * Deltas that a peer made up: none changes a byte beside the page, a refused
 * one none at all.  And two pages made of the input: the delta between them
 * makes the one of the other.
 */
#include <stdlib.h>
#include <string.h>

#include "wire/delta.h"

#define PAGE DELTA_PAGE_BYTES

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void apply(const uint8_t *data, size_t bytes)
{
	uint8_t *page = calloc(1, PAGE), zeroes[PAGE] = { 0 };

	if (delta_apply(page, data, bytes) && memcmp(page, zeroes, PAGE))
		abort();
	free(page);
}

static void there_and_back(const uint8_t *data, size_t bytes)
{
	uint8_t before[PAGE] = { 0 }, now[PAGE] = { 0 }, delta[2 * PAGE];
	size_t half = bytes / 2 < PAGE ? bytes / 2 : PAGE;
	int n;

	if (half)
		memcpy(before, data, half);
	if (half)
		memcpy(now, data + half, half);
	n = delta_encode(before, now, delta, sizeof(delta));
	if (n < 0 || delta_apply(before, delta, n) ||
	    memcmp(before, now, PAGE))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	apply(data, bytes);
	there_and_back(data, bytes);
	return 0;
}
