// SPDX-License-Identifier: GPL-2.0
/*
 * Possession proofs: the page, the number and the nonce must all be right, and
 * what a proof is said to cover it does cover.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "crypto/proof.h"

#define PAGE_BYTES 4096
#define LINE_BYTES 64
#define LINES (PAGE_BYTES / LINE_BYTES)

static const enum proof_mode modes[] = { PROOF_SAMPLED, PROOF_FULL };

static void make_key(struct proof_key *key, enum proof_mode mode)
{
	uint8_t nonce[PROOF_NONCE_BYTES];

	proof_nonce(nonce);
	proof_key_init(key, nonce, mode);
}

static void proof_of_the_page_holds(void **state)
{
	uint8_t page[PAGE_BYTES], proof[PROOF_BYTES];
	struct proof_key key;
	uint32_t i;

	(void)state;
	randombytes_buf(page, sizeof(page));
	for (i = 0; i < 200; i++) {
		make_key(&key, modes[i % 2]);
		proof_make(&key, i, page, proof);
		assert_true(proof_check(&key, i, page, proof));
	}
}

static void proof_of_another_nonce_or_number_does_not(void **state)
{
	uint8_t page[PAGE_BYTES], proof[PROOF_BYTES];
	struct proof_key key, other;
	unsigned int i;

	(void)state;
	randombytes_buf(page, sizeof(page));
	for (i = 0; i < 2; i++) {
		make_key(&key, modes[i]);
		make_key(&other, modes[i]);
		proof_make(&key, 7, page, proof);
		assert_false(proof_check(&other, 7, page, proof));
		assert_false(proof_check(&key, 8, page, proof));
		proof_key_init(&other, key.nonce, modes[!i]);
		assert_false(proof_check(&other, 7, page, proof));
	}
}

static void every_bit_of_the_proof_counts(void **state)
{
	uint8_t page[PAGE_BYTES], proof[PROOF_BYTES];
	struct proof_key key;
	unsigned int i, bit;

	(void)state;
	randombytes_buf(page, sizeof(page));
	for (i = 0; i < 2; i++) {
		make_key(&key, modes[i]);
		proof_make(&key, 3, page, proof);
		for (bit = 0; bit < PROOF_BYTES * 8; bit++) {
			proof[bit / 8] ^= 1 << bit % 8;
			assert_false(proof_check(&key, 3, page, proof));
			proof[bit / 8] ^= 1 << bit % 8;
		}
	}
}

static void full_proof_covers_every_bit(void **state)
{
	uint8_t page[PAGE_BYTES], proof[PROOF_BYTES];
	struct proof_key key;
	unsigned int bit;

	(void)state;
	randombytes_buf(page, sizeof(page));
	make_key(&key, PROOF_FULL);
	proof_make(&key, 5, page, proof);
	for (bit = 0; bit < PAGE_BYTES * 8; bit++) {
		page[bit / 8] ^= 1 << bit % 8;
		assert_false(proof_check(&key, 5, page, proof));
		page[bit / 8] ^= 1 << bit % 8;
	}
}

/* 16 bytes are lacking, anywhere; the rest, nonce and number are known. */
static void full_proof_resists_guesses_of_sixteen_bytes(void **state)
{
	uint8_t page[PAGE_BYTES], guess[PAGE_BYTES], proof[PROOF_BYTES];
	struct proof_key key;
	unsigned int i;

	(void)state;
	randombytes_buf(page, sizeof(page));
	for (i = 0; i < 20000; i++) {
		memcpy(guess, page, sizeof(guess));
		randombytes_buf(guess + randombytes_uniform(PAGE_BYTES - 15),
				16);
		make_key(&key, PROOF_FULL);
		proof_make(&key, i, guess, proof);
		assert_false(proof_check(&key, i, page, proof));
	}
}

/* How many lines, and which, @number's proof covers. */
static unsigned int covered(const struct proof_key *key, uint32_t number,
			    unsigned int *times)
{
	uint8_t page[PAGE_BYTES] = { 0 }, proof[PROOF_BYTES];
	unsigned int line, n = 0;

	proof_make(key, number, page, proof);
	for (line = 0; line < LINES; line++) {
		/* the last byte of a line stands for all of it */
		page[line * LINE_BYTES + LINE_BYTES - 1] = 1;
		if (!proof_check(key, number, page, proof)) {
			times[line]++;
			n++;
		}
		page[line * LINE_BYTES + LINE_BYTES - 1] = 0;
	}
	return n;
}

static void sampled_proof_covers_two_lines_and_all_in_turn(void **state)
{
	unsigned int times[LINES] = { 0 };
	struct proof_key key;
	unsigned int i;

	(void)state;
	make_key(&key, PROOF_SAMPLED);
	for (i = 0; i < 2000; i++)
		assert_int_equal(covered(&key, i, times), 2);
	/* 62 are expected; a line with less than 20 is no accident */
	for (i = 0; i < LINES; i++)
		assert_in_range(times[i], 20, 150);
}

/* A change of the format is a change of the protocol. */
static void proofs_are_what_they_were(void **state)
{
	static const uint8_t sampled[PROOF_BYTES] = {
		0xed, 0xa9, 0x6a, 0x00, 0x69, 0xcd, 0x5b, 0xab,
		0xdf, 0xc8, 0x3a, 0x63, 0xcd, 0x79, 0x42, 0x08,
	};
	static const uint8_t full[PROOF_BYTES] = {
		0x5d, 0x97, 0x5b, 0x76, 0xf6, 0xc8, 0x49, 0x05,
		0x6a, 0x15, 0xdf, 0x9d, 0x40, 0x71, 0x41, 0x16,
	};
	uint8_t page[PAGE_BYTES], nonce[PROOF_NONCE_BYTES];
	struct proof_key key;
	unsigned int i;

	(void)state;
	for (i = 0; i < PAGE_BYTES; i++)
		page[i] = i * 7 + i / 256;
	for (i = 0; i < PROOF_NONCE_BYTES; i++)
		nonce[i] = i;
	proof_key_init(&key, nonce, PROOF_SAMPLED);
	assert_true(proof_check(&key, 0x01020304, page, sampled));
	proof_key_init(&key, nonce, PROOF_FULL);
	assert_true(proof_check(&key, 0x01020304, page, full));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proof_of_the_page_holds),
		cmocka_unit_test(proof_of_another_nonce_or_number_does_not),
		cmocka_unit_test(every_bit_of_the_proof_counts),
		cmocka_unit_test(full_proof_covers_every_bit),
		cmocka_unit_test(full_proof_resists_guesses_of_sixteen_bytes),
		cmocka_unit_test(sampled_proof_covers_two_lines_and_all_in_turn),
		cmocka_unit_test(proofs_are_what_they_were),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
