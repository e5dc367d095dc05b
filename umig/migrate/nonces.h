/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The nonces of answers: which proof key goes with an offer's number.  Answers
 * cover offers in ascending order without a gap, so that the first number of
 * each is enough.  The source keeps those that it got, the destination those
 * that it gave.  One thread.
 */
#ifndef UMIG_MIGRATE_NONCES_H
#define UMIG_MIGRATE_NONCES_H

#include <stdint.h>

#include "crypto/proof.h"

/** struct nonce_span - One answer: from @first up to the next one's. */
struct nonce_span {
	uint32_t first;
	struct proof_key key;
};

/** struct nonces - The answers so far.  Zero-initialise. */
struct nonces {
	struct nonce_span *span;
	uint32_t nr;
	uint32_t cap;
};

void nonces_exit(struct nonces *n);

/** nonces_add() - An answer for the offers from @first on; 0 or -ENOMEM. */
int nonces_add(struct nonces *n, uint32_t first,
	       const uint8_t nonce[PROOF_NONCE_BYTES], enum proof_mode mode);

/** nonces_find() - The key for @number, which has been answered. */
const struct proof_key *nonces_find(const struct nonces *n, uint32_t number);

#endif
