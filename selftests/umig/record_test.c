// SPDX-License-Identifier: GPL-2.0
/*
 * The record layer: what was sealed opens in its turn and nothing else does,
 * with either cipher and across changes of the key.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "crypto/record.h"

#define BYTES 100
#define AAD "\x74\0\0"		/* with its NUL: a length header */

static const uint8_t secret[RECORD_SECRET_SIZE] = "an unsafe secret, 32 bytes long";

/* struct rec - One record on the wire. */
struct rec {
	uint8_t data[BYTES];
	uint8_t tag[RECORD_TAG_SIZE];
};

/* Both ciphers, or the one that this CPU does. */
static const enum record_cipher ciphers[] = {
	RECORD_XCHACHA20, RECORD_AES256GCM,
};

static size_t nr_ciphers(void)
{
	return record_ciphers() & RECORD_CIPHER_BIT(RECORD_AES256GCM) ? 2 : 1;
}

static void init(struct record_key *k, enum record_cipher cipher)
{
	assert_int_equal(record_init(k, cipher, secret, "test", 0), 0);
}

static void fill(struct rec *r, uint8_t n)
{
	memset(r->data, n, sizeof(r->data));
}

static void seal(struct record_key *k, struct rec *r, uint8_t n)
{
	fill(r, n);
	assert_int_equal(record_seal(k, AAD, sizeof(AAD), r->data, BYTES,
				     r->tag), 0);
}

static int open_rec(struct record_key *k, struct rec *r)
{
	return record_open(k, AAD, sizeof(AAD), r->data, BYTES, r->tag);
}

static void assert_opens(struct record_key *k, struct rec *r, uint8_t n)
{
	struct rec want;

	fill(&want, n);
	assert_int_equal(open_rec(k, r), 0);
	assert_memory_equal(r->data, want.data, BYTES);
}

/* It doesn't, and the direction is over. */
static void assert_refused(struct record_key *k, struct rec *r)
{
	static const struct record_key wiped;
	struct rec other = *r;

	assert_int_equal(open_rec(k, &other), -EBADMSG);
	assert_memory_equal(k, &wiped, sizeof(*k));
	assert_int_equal(open_rec(k, r), -EPIPE);
	assert_int_equal(record_seal(k, AAD, 1, r->data, BYTES, r->tag),
			 -EPIPE);
}

static void records_open_in_turn(void **state)
{
	struct record_key tx, rx;
	struct rec r, plain;
	size_t c, i;

	(void)state;
	for (c = 0; c < nr_ciphers(); c++) {
		init(&tx, ciphers[c]);
		init(&rx, ciphers[c]);
		for (i = 0; i < 300; i++) {
			seal(&tx, &r, i);
			fill(&plain, i);
			assert_memory_not_equal(r.data, plain.data, BYTES);
			assert_opens(&rx, &r, i);
		}
	}
}

/* libsodium's own call, with the nonce as the header has it, opens it. */
static void what_a_record_is(void **state)
{
	uint8_t nonce[24] = { 0 }, out[BYTES];
	struct record_key tx;
	struct rec r, want;
	int i;

	(void)state;
	init(&tx, RECORD_XCHACHA20);
	for (i = 0; i < 3; i++) {
		seal(&tx, &r, 7);
		nonce[0] = i;
		fill(&want, 7);
		assert_int_equal(
			crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
				out, NULL, r.data, BYTES, r.tag,
				(const uint8_t *)AAD, sizeof(AAD), nonce,
				tx.key), 0);
		assert_memory_equal(out, want.data, BYTES);
	}
}

static void empty_records(void **state)
{
	struct record_key tx, rx;
	uint8_t tag[RECORD_TAG_SIZE];
	size_t c;

	(void)state;
	for (c = 0; c < nr_ciphers(); c++) {
		init(&tx, ciphers[c]);
		init(&rx, ciphers[c]);
		assert_int_equal(record_seal(&tx, "a", 1, NULL, 0, tag), 0);
		assert_int_equal(record_open(&rx, "a", 1, NULL, 0, tag), 0);
		assert_int_equal(record_seal(&tx, NULL, 0, NULL, 0, tag), 0);
		assert_int_equal(record_open(&rx, NULL, 0, NULL, 0, tag), 0);
		assert_int_equal(record_seal(&tx, "a", 1, NULL, 0, tag), 0);
		assert_int_equal(record_open(&rx, "b", 1, NULL, 0, tag),
				 -EBADMSG);
	}
}

static void a_repeated_record(void **state)
{
	struct record_key tx, rx;
	struct rec r, copy;
	size_t c;

	(void)state;
	for (c = 0; c < nr_ciphers(); c++) {
		init(&tx, ciphers[c]);
		init(&rx, ciphers[c]);
		seal(&tx, &r, 1);
		copy = r;
		assert_opens(&rx, &r, 1);
		assert_refused(&rx, &copy);
	}
}

static void a_missing_record(void **state)
{
	struct record_key tx, rx;
	struct rec r;
	size_t c;

	(void)state;
	for (c = 0; c < nr_ciphers(); c++) {
		init(&tx, ciphers[c]);
		init(&rx, ciphers[c]);
		seal(&tx, &r, 1);
		seal(&tx, &r, 2);
		assert_refused(&rx, &r);
	}
}

static void swapped_records(void **state)
{
	struct record_key tx, rx;
	struct rec r[3];
	size_t c, i;

	(void)state;
	for (c = 0; c < nr_ciphers(); c++) {
		init(&tx, ciphers[c]);
		init(&rx, ciphers[c]);
		for (i = 0; i < 3; i++)
			seal(&tx, &r[i], i);
		assert_opens(&rx, &r[0], 0);
		assert_refused(&rx, &r[2]);
	}
}

static void any_changed_bit(void **state)
{
	struct record_key tx, rx;
	struct rec sent, r;
	size_t c, at;

	(void)state;
	for (c = 0; c < nr_ciphers(); c++) {
		init(&tx, ciphers[c]);
		seal(&tx, &sent, 3);
		for (at = 0; at < sizeof(sent) * 8; at++) {
			init(&rx, ciphers[c]);
			r = sent;
			((uint8_t *)&r)[at / 8] ^= 1 << at % 8;
			assert_refused(&rx, &r);
		}
	}
}

static void another_length_or_header(void **state)
{
	struct record_key tx, rx;
	struct rec sent, r;
	size_t c, cut;

	(void)state;
	for (c = 0; c < nr_ciphers(); c++) {
		init(&tx, ciphers[c]);
		seal(&tx, &sent, 3);
		for (cut = 0; cut < BYTES; cut++) {
			init(&rx, ciphers[c]);
			r = sent;
			assert_int_equal(record_open(&rx, AAD, sizeof(AAD),
						     r.data, cut, r.tag),
					 -EBADMSG);
		}
		init(&rx, ciphers[c]);
		r = sent;
		assert_int_equal(record_open(&rx, "\x75\0\0", sizeof(AAD),
					     r.data, BYTES, r.tag), -EBADMSG);
	}
}

/* Another direction, channel, cipher or session: another key. */
static void every_key_is_its_own(void **state)
{
	uint8_t other_secret[RECORD_SECRET_SIZE] = { 1 };
	struct record_key tx, rx;
	struct rec r, copy;

	(void)state;
	init(&tx, RECORD_XCHACHA20);
	seal(&tx, &r, 9);
	copy = r;
	record_init(&rx, RECORD_XCHACHA20, secret, "tes", 0);
	assert_refused(&rx, &copy);
	copy = r;
	record_init(&rx, RECORD_XCHACHA20, secret, "test", 1);
	assert_refused(&rx, &copy);
	copy = r;
	record_init(&rx, RECORD_XCHACHA20, secret, "test", 0x01000000);
	assert_refused(&rx, &copy);
	copy = r;
	record_init(&rx, RECORD_XCHACHA20, other_secret, "test", 0);
	assert_refused(&rx, &copy);
	init(&rx, RECORD_XCHACHA20);
	assert_opens(&rx, &r, 9);
	if (nr_ciphers() == 2) {
		init(&rx, RECORD_AES256GCM);
		assert_memory_not_equal(rx.key, tx.key, sizeof(rx.key));
	}
}

/* Both ends change keys at the same record, and not back. */
static void keys_change_by_records(void **state)
{
	uint8_t first[RECORD_SECRET_SIZE], last[RECORD_SECRET_SIZE];
	struct record_key tx, rx;
	struct rec r;
	size_t c, i;

	(void)state;
	for (c = 0; c < nr_ciphers(); c++) {
		init(&tx, ciphers[c]);
		init(&rx, ciphers[c]);
		record_set_rekey(&tx, 3, RECORD_REKEY_BYTES);
		record_set_rekey(&rx, 3, RECORD_REKEY_BYTES);
		memcpy(first, tx.key, sizeof(first));
		for (i = 0; i < 10; i++) {
			memcpy(last, tx.key, sizeof(last));
			seal(&tx, &r, i);
			assert_opens(&rx, &r, i);
			assert_int_equal(tx.rekeys, (i + 1) / 3);
			assert_int_equal(rx.rekeys, (i + 1) / 3);
			assert_int_equal(!memcmp(last, tx.key, sizeof(last)),
					 (i + 1) % 3 != 0);
			assert_memory_equal(tx.key, rx.key, sizeof(tx.key));
		}
		assert_memory_not_equal(first, tx.key, sizeof(first));
		/* numbers go on across keys */
		assert_int_equal(tx.counter, 10);
	}
}

static void keys_change_by_bytes(void **state)
{
	struct record_key tx, rx;
	struct rec r;
	size_t c, i;

	(void)state;
	for (c = 0; c < nr_ciphers(); c++) {
		init(&tx, ciphers[c]);
		init(&rx, ciphers[c]);
		record_set_rekey(&tx, RECORD_REKEY_RECORDS, 2 * BYTES - 1);
		record_set_rekey(&rx, RECORD_REKEY_RECORDS, 2 * BYTES - 1);
		for (i = 0; i < 7; i++) {
			seal(&tx, &r, i);
			assert_opens(&rx, &r, i);
			assert_int_equal(tx.rekeys, (i + 1) / 2);
		}
	}
}

/* A record of the old key doesn't open with the new one, nor with its number. */
static void an_old_key_is_gone(void **state)
{
	struct record_key tx, rx, old;
	struct rec r;

	(void)state;
	init(&tx, RECORD_XCHACHA20);
	init(&rx, RECORD_XCHACHA20);
	record_set_rekey(&tx, 1, RECORD_REKEY_BYTES);
	record_set_rekey(&rx, 1, RECORD_REKEY_BYTES);
	seal(&tx, &r, 0);
	assert_opens(&rx, &r, 0);
	init(&old, RECORD_XCHACHA20);
	old.counter = 1;
	seal(&old, &r, 1);
	assert_refused(&rx, &r);
}

static void limits_that_differ(void **state)
{
	struct record_key tx, rx;
	struct rec r;
	int i;

	(void)state;
	init(&tx, RECORD_XCHACHA20);
	init(&rx, RECORD_XCHACHA20);
	record_set_rekey(&tx, 3, RECORD_REKEY_BYTES);
	for (i = 0; i < 3; i++) {
		seal(&tx, &r, i);
		assert_opens(&rx, &r, i);
	}
	seal(&tx, &r, 3);
	assert_refused(&rx, &r);
}

static void numbers_never_wrap(void **state)
{
	struct record_key tx, rx;
	struct rec r;

	(void)state;
	init(&tx, RECORD_XCHACHA20);
	init(&rx, RECORD_XCHACHA20);
	tx.counter = rx.counter = UINT64_MAX - 1;
	seal(&tx, &r, 1);
	assert_opens(&rx, &r, 1);
	assert_int_equal(record_seal(&tx, NULL, 0, r.data, BYTES, r.tag),
			 -EOVERFLOW);
	assert_int_equal(record_open(&rx, NULL, 0, r.data, BYTES, r.tag),
			 -EOVERFLOW);
}

static void too_long_for_a_record(void **state)
{
	struct record_key k;
	struct rec r;

	(void)state;
	init(&k, RECORD_XCHACHA20);
	assert_int_equal(record_seal(&k, NULL, 0, r.data,
				     (size_t)RECORD_BYTES_MAX + 1, r.tag),
			 -EMSGSIZE);
	assert_int_equal(record_open(&k, NULL, 0, r.data,
				     (size_t)RECORD_BYTES_MAX + 1, r.tag),
			 -EMSGSIZE);
}

static void the_best_that_both_do(void **state)
{
	const uint32_t aes = RECORD_CIPHER_BIT(RECORD_AES256GCM);
	const uint32_t chacha = RECORD_CIPHER_BIT(RECORD_XCHACHA20);
	struct record_key k;

	(void)state;
	assert_int_equal(record_cipher_choose(aes | chacha, aes | chacha),
			 RECORD_AES256GCM);
	assert_int_equal(record_cipher_choose(aes | chacha, chacha),
			 RECORD_XCHACHA20);
	assert_int_equal(record_cipher_choose(chacha, aes | chacha | 1 << 9),
			 RECORD_XCHACHA20);
	assert_int_equal(record_cipher_choose(aes, chacha), -ENOTSUP);
	assert_int_equal(record_cipher_choose(chacha, 0), -ENOTSUP);
	assert_true(record_ciphers() & chacha);
	assert_int_equal(record_init(&k, 3, secret, "test", 0), -ENOTSUP);
	assert_int_equal(record_init(&k, 0, secret, "test", 0), -ENOTSUP);
	if (nr_ciphers() == 1)
		assert_int_equal(record_init(&k, RECORD_AES256GCM, secret,
					     "test", 0), -ENOTSUP);
	assert_string_equal(record_cipher_name(RECORD_AES256GCM),
			    "AES-256-GCM");
	assert_string_equal(record_cipher_name(RECORD_XCHACHA20),
			    "XChaCha20-Poly1305");
	assert_string_equal(record_cipher_name(0), "none");
}

/* It is, where it can be, or what follows tests nothing. */
static void speed_up(struct record_key *k)
{
	record_speed_up(k);
	if (k->cipher == RECORD_AES256GCM)
		assert_non_null(k->gcm);
}

/* The faster library and libsodium make the same records, whoever opens them. */
static void faster_is_the_same(void **state)
{
	struct record_key tx, rx;
	struct rec r;
	size_t c;
	int i, fast;

	(void)state;
	for (c = 0; c < nr_ciphers(); c++) {
		for (fast = 0; fast < 4; fast++) {
			init(&tx, ciphers[c]);
			init(&rx, ciphers[c]);
			record_set_rekey(&tx, 7, UINT64_MAX);
			record_set_rekey(&rx, 7, UINT64_MAX);
			if (fast & 1)
				speed_up(&tx);
			if (fast & 2)
				speed_up(&rx);
			for (i = 0; i < 40; i++) {
				seal(&tx, &r, i);
				assert_opens(&rx, &r, i);
			}
			assert_int_equal(tx.rekeys, 5);
			seal(&tx, &r, i);
			r.data[BYTES - 1] ^= 1;
			assert_refused(&rx, &r);
			record_wipe(&tx);
			record_wipe(&tx);
		}
	}
}

/* Cut anywhere, in its place or elsewhere: it is the record that it is whole. */
static void pieces_are_one_record(enum record_cipher cipher, bool fast)
{
	static const size_t cuts[][2] = {
		{ 0, 0 }, { 0, 1 }, { 1, 1 }, { 4, 20 }, { 15, 16 },
		{ 16, 48 }, { 17, BYTES }, { BYTES - 1, BYTES },
		{ BYTES, BYTES },
	};
	struct record_key tx, pieces_tx;
	uint8_t elsewhere[BYTES];
	struct rec whole, r;
	struct iovec iov[3];
	size_t i;

	init(&tx, cipher);
	init(&pieces_tx, cipher);
	if (fast)
		speed_up(&pieces_tx);
	for (i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		fill(&r, i + 1);
		/* what is borrowed leaves a hole */
		memcpy(elsewhere, r.data, BYTES);
		memset(r.data + cuts[i][0], 0xee, cuts[i][1] - cuts[i][0]);
		iov[0] = (struct iovec){ r.data, cuts[i][0] };
		iov[1] = (struct iovec){ elsewhere + cuts[i][0],
					 cuts[i][1] - cuts[i][0] };
		iov[2] = (struct iovec){ r.data + cuts[i][1],
					 BYTES - cuts[i][1] };
		assert_int_equal(record_seal_pieces(&pieces_tx, AAD,
						    sizeof(AAD), r.data, iov,
						    3, r.tag), 0);
		seal(&tx, &whole, i + 1);
		assert_memory_equal(&r, &whole, sizeof(r));
	}
	record_wipe(&tx);
	record_wipe(&pieces_tx);
}

static void pieces_make_one_record(void **state)
{
	size_t c;

	(void)state;
	for (c = 0; c < nr_ciphers(); c++) {
		pieces_are_one_record(ciphers[c], false);
		pieces_are_one_record(ciphers[c], true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_open_in_turn),
		cmocka_unit_test(what_a_record_is),
		cmocka_unit_test(empty_records),
		cmocka_unit_test(a_repeated_record),
		cmocka_unit_test(a_missing_record),
		cmocka_unit_test(swapped_records),
		cmocka_unit_test(any_changed_bit),
		cmocka_unit_test(another_length_or_header),
		cmocka_unit_test(every_key_is_its_own),
		cmocka_unit_test(keys_change_by_records),
		cmocka_unit_test(keys_change_by_bytes),
		cmocka_unit_test(an_old_key_is_gone),
		cmocka_unit_test(limits_that_differ),
		cmocka_unit_test(numbers_never_wrap),
		cmocka_unit_test(too_long_for_a_record),
		cmocka_unit_test(the_best_that_both_do),
		cmocka_unit_test(faster_is_the_same),
		cmocka_unit_test(pieces_make_one_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
