// SPDX-License-Identifier: GPL-2.0
/*
 * The nonces of answers: see nonces.h.
 */
#include "migrate/nonces.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define FIRST_CAP 64

void nonces_exit(struct nonces *n)
{
	free(n->span);
	*n = (struct nonces){ 0 };
}

int nonces_add(struct nonces *n, uint32_t first,
	       const uint8_t nonce[PROOF_NONCE_BYTES], enum proof_mode mode)
{
	if (n->nr == n->cap) {
		uint32_t cap = n->cap ? n->cap * 2 : FIRST_CAP;
		struct nonce_span *span = realloc(n->span,
						  cap * sizeof(*span));

		if (!span)
			return -ENOMEM;
		n->span = span;
		n->cap = cap;
	}
	n->span[n->nr].first = first;
	proof_key_init(&n->span[n->nr].key, nonce, mode);
	n->nr++;
	return 0;
}

const struct proof_key *nonces_find(const struct nonces *n, uint32_t number)
{
	uint32_t low = 0, high = n->nr;

	assert(n->nr && n->span[0].first <= number);
	/* mostly what is asked for was answered last */
	if (n->span[high - 1].first <= number)
		return &n->span[high - 1].key;
	/* span[low].first <= number < span[high].first */
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (n->span[middle].first <= number)
			low = middle;
		else
			high = middle;
	}
	return &n->span[low].key;
}
