/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The record layer: bytes sealed, from where they lie, and opened in place,
 * RECORD_TAG_SIZE longer on the wire, each direction of each channel with a key
 * of its own.
 *
 *   secret --(cipher, label, channel)--> key 0 --> key 1 --> ...
 *
 * A record's nonce is its number, which nobody sends: a record that is
 * repeated, left out, reordered, or of another channel or direction doesn't
 * open.  After RECORD_REKEY_RECORDS records or RECORD_REKEY_BYTES bytes the key
 * is replaced by a one-way function of itself; both ends count alike, so no
 * message says so.  A record that doesn't open ends the direction for good.
 */
#ifndef UMIG_CRYPTO_RECORD_H
#define UMIG_CRYPTO_RECORD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <sodium.h>

#define RECORD_SECRET_SIZE 32
#define RECORD_TAG_SIZE 16
/* More than any frame, less than either cipher's limit. */
#define RECORD_BYTES_MAX (1U << 30)
#define RECORD_REKEY_RECORDS (1ULL << 20)
#define RECORD_REKEY_BYTES (1ULL << 36)

/** enum record_cipher - Values are on the wire. */
enum record_cipher {
	RECORD_AES256GCM = 1,
	RECORD_XCHACHA20 = 2,
};

struct gcm;

#define RECORD_CIPHER_BIT(cipher) (1U << (cipher))

/** record_ciphers() - RECORD_CIPHER_BIT()s of what this CPU does well. */
uint32_t record_ciphers(void);

/**
 * record_cipher_choose() - The best that both ends do.
 *
 * Return: an enum record_cipher, or -ENOTSUP: there is none.
 */
int record_cipher_choose(uint32_t ours, uint32_t theirs);

/** record_cipher_name() - For people. */
const char *record_cipher_name(enum record_cipher cipher);

/**
 * struct record_key - One direction of one channel.  Wipe with record_wipe().
 * @aes: AES's key schedule; 16-byte aligned, and so is the whole.
 * @key: the key.
 * @cipher: 0: none, or none any more.
 * @counter: records so far, all keys together: the next one's number.
 * @records: with this key,
 * @bytes: and their bytes.
 * @rekey_records: when a new key is due,
 * @rekey_bytes: likewise; both ends have the same.
 * @rekeys: how often it was.
 * @gcm: NULL, or what does the work: see record_speed_up().
 */
struct record_key {
	crypto_aead_aes256gcm_state aes;
	uint8_t key[RECORD_SECRET_SIZE];
	enum record_cipher cipher;
	uint64_t counter;
	uint64_t records;
	uint64_t bytes;
	uint64_t rekey_records;
	uint64_t rekey_bytes;
	uint64_t rekeys;
	struct gcm *gcm;
};

/**
 * record_init() - Derive a direction's first key.
 * @secret: a session's, for that direction.
 * @label: what the records are, so that two uses of a secret never share a
 *	key; both ends say the same.
 * @channel: which channel of the session.
 *
 * Return: 0; -ENOTSUP: this CPU doesn't do @cipher.
 */
int record_init(struct record_key *k, enum record_cipher cipher,
		const uint8_t secret[RECORD_SECRET_SIZE], const char *label,
		uint32_t channel);

/**
 * record_speed_up() - Do it faster from now on, where this host can: for keys
 * of long records.  Such a key is not copied any more.
 */
void record_speed_up(struct record_key *k);

/** record_set_rekey() - Other limits, for tests; before the first record. */
void record_set_rekey(struct record_key *k, uint64_t records, uint64_t bytes);

/**
 * record_seal() - Encrypt @data in place, authenticate it and @aad.
 * @aad: may be NULL if @aad_bytes is 0; @data likewise.
 *
 * Return: 0; -EMSGSIZE: more than RECORD_BYTES_MAX; -EOVERFLOW: the numbers
 * are used up; -EPIPE: the key is wiped; -EIO: the cipher failed.
 */
int record_seal(struct record_key *k, const void *aad, size_t aad_bytes,
		uint8_t *data, size_t bytes, uint8_t tag[RECORD_TAG_SIZE]);

/**
 * record_seal_pieces() - The same for what lies in pieces.
 * @out: where they go, one behind the other, encrypted.
 * @pieces: each where it goes to, or apart from all of @out.  They are read
 *	once: a piece that somebody writes to meanwhile is sealed as it was
 *	read.
 * @nr: how many.
 */
int record_seal_pieces(struct record_key *k, const void *aad, size_t aad_bytes,
		       uint8_t *out, const struct iovec *pieces,
		       unsigned int nr, uint8_t tag[RECORD_TAG_SIZE]);

/**
 * record_open() - Check and decrypt the next record in place.
 *
 * Return: 0; -EBADMSG: it isn't the next record: @data has nothing of use, and
 * the key is wiped; or as record_seal().
 */
int record_open(struct record_key *k, const void *aad, size_t aad_bytes,
		uint8_t *data, size_t bytes,
		const uint8_t tag[RECORD_TAG_SIZE]);

/** record_wipe() - Forget the key; more than once is fine. */
void record_wipe(struct record_key *k);

#endif
