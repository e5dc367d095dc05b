// SPDX-License-Identifier: GPL-2.0
/*
 * Possession proofs: see proof.h.
 */
#include "crypto/proof.h"

#include <endian.h>
#include <sodium.h>
#include <string.h>

#define PAGE_BYTES 4096
#define LINE_BYTES 64
#define LINES (PAGE_BYTES / LINE_BYTES)
#define SAMPLED_LINES 2

_Static_assert(PROOF_NONCE_BYTES == crypto_shorthash_siphashx24_KEYBYTES &&
	       PROOF_BYTES == crypto_shorthash_siphashx24_BYTES &&
	       PROOF_BYTES == crypto_onetimeauth_BYTES, "primitives");

/* What the sampled proof is a MAC of. */
struct sample {
	uint32_t number;
	uint8_t line[SAMPLED_LINES][LINE_BYTES];
} __attribute__((packed));

void proof_nonce(uint8_t nonce[PROOF_NONCE_BYTES])
{
	randombytes_buf(nonce, PROOF_NONCE_BYTES);
}

void proof_key_init(struct proof_key *key,
		    const uint8_t nonce[PROOF_NONCE_BYTES],
		    enum proof_mode mode)
{
	memcpy(key->nonce, nonce, sizeof(key->nonce));
	key->mode = mode;
}

/* Two different lines of the page. */
static void pick_lines(const struct proof_key *key, uint32_t number_le,
		       unsigned int line[SAMPLED_LINES])
{
	uint64_t pick;

	crypto_shorthash_siphash24((uint8_t *)&pick,
				   (const uint8_t *)&number_le,
				   sizeof(number_le), key->nonce);
	pick = le64toh(pick);
	line[0] = pick % LINES;
	line[1] = (line[0] + 1 + (pick >> 32) % (LINES - 1)) % LINES;
}

static void make_sampled(const struct proof_key *key, uint32_t number_le,
			 const uint8_t *page, uint8_t *proof)
{
	struct sample s = { .number = number_le };
	unsigned int i, line[SAMPLED_LINES];

	pick_lines(key, number_le, line);
	for (i = 0; i < SAMPLED_LINES; i++)
		memcpy(s.line[i], page + line[i] * LINE_BYTES, LINE_BYTES);
	crypto_shorthash_siphashx24(proof, (const uint8_t *)&s, sizeof(s),
				    key->nonce);
}

static void make_full(const struct proof_key *key, uint32_t number_le,
		      const uint8_t *page, uint8_t *proof)
{
	uint8_t once[crypto_onetimeauth_KEYBYTES];

	crypto_generichash(once, sizeof(once), (const uint8_t *)&number_le,
			   sizeof(number_le), key->nonce, sizeof(key->nonce));
	crypto_onetimeauth(proof, page, PAGE_BYTES, once);
}

void proof_make(const struct proof_key *key, uint32_t number,
		const void *page, uint8_t proof[PROOF_BYTES])
{
	if (key->mode == PROOF_FULL)
		make_full(key, htole32(number), page, proof);
	else
		make_sampled(key, htole32(number), page, proof);
}

void proof_prefetch(const struct proof_key *key, uint32_t number,
		    const void *page)
{
	unsigned int i, line[SAMPLED_LINES];

	if (key->mode != PROOF_SAMPLED)
		return;
	pick_lines(key, htole32(number), line);
	for (i = 0; i < SAMPLED_LINES; i++)
		__builtin_prefetch((const uint8_t *)page +
				   line[i] * LINE_BYTES);
}

static bool check(const struct proof_key *key, uint32_t number,
		  const void *page, const uint8_t *proof, size_t bytes)
{
	uint8_t right[PROOF_BYTES];

	proof_make(key, number, page, right);
	return !sodium_memcmp(right, proof, bytes);
}

bool proof_check(const struct proof_key *key, uint32_t number,
		 const void *page, const uint8_t proof[PROOF_BYTES])
{
	return check(key, number, page, proof, PROOF_BYTES);
}

bool proof_check_brief(const struct proof_key *key, uint32_t number,
		       const void *page,
		       const uint8_t proof[PROOF_BRIEF_BYTES])
{
	return key->mode == PROOF_SAMPLED &&
	       check(key, number, page, proof, PROOF_BRIEF_BYTES);
}
