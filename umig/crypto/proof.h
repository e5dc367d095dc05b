/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Possession proofs: that a source which names a page by its digest has the
 * page, and not just the digest.  Both ends compute the same 16 bytes over
 * their copies of the page; the destination compares.  Pure functions.
 *
 * The key is no secret.  The destination draws it after the digest was offered
 * and sends it with its answer; so what counts is not who knows the key but
 * when: a proof can't have been made, or asked of somebody else, before the
 * offer, and it can't be computed without the bytes that it covers.
 *
 * Sampled: SipHash-2-4-128 over two cache lines of the page, which the key and
 * the offer's number pick.  It notices a digest that no longer is the page's.
 * It does not keep out a liar: who has some lines of a page can offer its
 * digest until the lines that are picked are among them.  Half of it, a brief
 * proof, does the same: one of 2^64 guesses at what one lacks is right, and a
 * few are heard.
 *
 * Full: Poly1305 over all of the page, with a one-time key for each nonce and
 * number.  It is not used as a MAC that keeps its key: the prover knows it.  So
 * what "one-time" guards against, another tag forged from one that was seen,
 * is no loss here, and a number has one content in any case: it names a digest,
 * and twins have the same proof.  What is used is that the tag is a polynomial
 * in the key's point r, whose coefficients are the page's blocks of 16 bytes.
 * Whatever a liar knows of the other blocks, at most a few values of a block
 * that he lacks lead to the same tag, so he guesses the tag hardly more easily
 * than the block; and two pages have the same tag for no more than 1 of 2^98
 * points, of which one was drawn when the digest had settled what the page is.
 */
#ifndef UMIG_CRYPTO_PROOF_H
#define UMIG_CRYPTO_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#define PROOF_NONCE_BYTES 16
#define PROOF_BYTES 16
#define PROOF_BRIEF_BYTES 8

/**
 * enum proof_mode - What a proof covers.
 * @PROOF_SAMPLED: two cache lines: among hosts that trust each other's root.
 * @PROOF_FULL: every byte.
 */
enum proof_mode {
	PROOF_SAMPLED = 1,
	PROOF_FULL = 2,
};

/** struct proof_key - What proofs of the offers of one ANSWER are made with. */
struct proof_key {
	uint8_t nonce[PROOF_NONCE_BYTES];
	enum proof_mode mode;
};

/** proof_nonce() - A new one, from the kernel's random generator. */
void proof_nonce(uint8_t nonce[PROOF_NONCE_BYTES]);

void proof_key_init(struct proof_key *key,
		    const uint8_t nonce[PROOF_NONCE_BYTES],
		    enum proof_mode mode);

/**
 * proof_make() - Prove to have a page.
 * @number: of the offer that named its digest.
 * @page: its 4096 bytes.  If somebody writes them meanwhile, the proof may be
 *	of no state that the page ever had, and is refused.
 */
void proof_make(const struct proof_key *key, uint32_t number,
		const void *page, uint8_t proof[PROOF_BYTES]);

/**
 * proof_prefetch() - A proof of @page will be made soon: fetch what it is of, if
 * that is little.
 */
void proof_prefetch(const struct proof_key *key, uint32_t number,
		    const void *page);

/** proof_check() - Whether @proof is @page's, in constant time. */
bool proof_check(const struct proof_key *key, uint32_t number,
		 const void *page, const uint8_t proof[PROOF_BYTES]);

/** proof_check_brief() - The same, of the first bytes of a sampled proof. */
bool proof_check_brief(const struct proof_key *key, uint32_t number,
		       const void *page,
		       const uint8_t proof[PROOF_BRIEF_BYTES]);

#endif
