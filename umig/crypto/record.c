// SPDX-License-Identifier: GPL-2.0
/*
 * The record layer: see record.h.
 */
#include "crypto/record.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "crypto/gcm.h"

_Static_assert(RECORD_TAG_SIZE == crypto_aead_aes256gcm_ABYTES, "tag");
_Static_assert(RECORD_TAG_SIZE == crypto_aead_xchacha20poly1305_ietf_ABYTES,
	       "tag");
_Static_assert(RECORD_SECRET_SIZE == crypto_aead_aes256gcm_KEYBYTES, "key");
_Static_assert(RECORD_SECRET_SIZE ==
	       crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key");

#define NONCE_MAX crypto_aead_xchacha20poly1305_ietf_NPUBBYTES

/* What is hashed with a key to give another one begins so. */
static const char first_key[] = "umig record key";
static const char next_key[] = "umig record rekey";

uint32_t record_ciphers(void)
{
	uint32_t ciphers = RECORD_CIPHER_BIT(RECORD_XCHACHA20);

	/* which CPU it is, is found out there */
	if (sodium_init() >= 0 && crypto_aead_aes256gcm_is_available())
		ciphers |= RECORD_CIPHER_BIT(RECORD_AES256GCM);
	return ciphers;
}

int record_cipher_choose(uint32_t ours, uint32_t theirs)
{
	static const enum record_cipher best_first[] = {
		RECORD_AES256GCM, RECORD_XCHACHA20,
	};
	size_t i;

	for (i = 0; i < sizeof(best_first) / sizeof(best_first[0]); i++)
		if (ours & theirs & RECORD_CIPHER_BIT(best_first[i]))
			return best_first[i];
	return -ENOTSUP;
}

const char *record_cipher_name(enum record_cipher cipher)
{
	switch (cipher) {
	case RECORD_AES256GCM:
		return "AES-256-GCM";
	case RECORD_XCHACHA20:
		return "XChaCha20-Poly1305";
	}
	return "none";
}

static void put_le(uint8_t *to, uint64_t v, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i++)
		to[i] = v >> 8 * i;
}

static void expand_key(struct record_key *k)
{
	if (k->cipher == RECORD_AES256GCM)
		crypto_aead_aes256gcm_beforenm(&k->aes, k->key);
	if (k->gcm)
		gcm_set_key(k->gcm, k->key);
}

/*
 * "umig record key" NUL | cipher 1 | channel 4 | label, hashed under @secret:
 * what varies in length is last.
 */
int record_init(struct record_key *k, enum record_cipher cipher,
		const uint8_t secret[RECORD_SECRET_SIZE], const char *label,
		uint32_t channel)
{
	crypto_generichash_state st;
	uint8_t fixed[5];

	memset(k, 0, sizeof(*k));
	if ((unsigned int)cipher > RECORD_XCHACHA20 ||
	    !(record_ciphers() & RECORD_CIPHER_BIT(cipher)))
		return -ENOTSUP;
	k->cipher = cipher;
	k->rekey_records = RECORD_REKEY_RECORDS;
	k->rekey_bytes = RECORD_REKEY_BYTES;
	put_le(fixed, cipher, 1);
	put_le(fixed + 1, channel, 4);
	crypto_generichash_init(&st, secret, RECORD_SECRET_SIZE,
				RECORD_SECRET_SIZE);
	crypto_generichash_update(&st, (const uint8_t *)first_key,
				  sizeof(first_key));
	crypto_generichash_update(&st, fixed, sizeof(fixed));
	crypto_generichash_update(&st, (const uint8_t *)label, strlen(label));
	crypto_generichash_final(&st, k->key, sizeof(k->key));
	sodium_memzero(&st, sizeof(st));
	expand_key(k);
	return 0;
}

void record_speed_up(struct record_key *k)
{
	if (k->cipher != RECORD_AES256GCM || k->gcm)
		return;
	k->gcm = gcm_alloc();
	expand_key(k);
}

void record_set_rekey(struct record_key *k, uint64_t records, uint64_t bytes)
{
	assert(!k->counter && records);
	k->rekey_records = records;
	k->rekey_bytes = bytes;
}

static void rekey(struct record_key *k)
{
	uint8_t next[RECORD_SECRET_SIZE];

	crypto_generichash(next, sizeof(next), (const uint8_t *)next_key,
			   sizeof(next_key), k->key, sizeof(k->key));
	memcpy(k->key, next, sizeof(k->key));
	sodium_memzero(next, sizeof(next));
	expand_key(k);
	k->records = 0;
	k->bytes = 0;
	k->rekeys++;
}

/* A record is done: the numbers of the next, and its key if that is due. */
static void count(struct record_key *k, size_t bytes)
{
	k->counter++;
	k->records++;
	k->bytes += bytes;
	if (k->records >= k->rekey_records || k->bytes >= k->rekey_bytes)
		rekey(k);
}

static int check(const struct record_key *k, size_t bytes)
{
	if (!k->cipher)
		return -EPIPE;
	if (bytes > RECORD_BYTES_MAX)
		return -EMSGSIZE;
	return k->counter == UINT64_MAX ? -EOVERFLOW : 0;
}

static void gather(uint8_t *out, const struct iovec *pieces, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (pieces[i].iov_base != out && pieces[i].iov_len)
			memcpy(out, pieces[i].iov_base, pieces[i].iov_len);
		out += pieces[i].iov_len;
	}
}

/* What libsodium does: nothing can fail. */
static void seal_in_place(const struct record_key *k, const uint8_t *nonce,
			  const void *aad, size_t aad_bytes, uint8_t *data,
			  size_t bytes, uint8_t tag[RECORD_TAG_SIZE])
{
	if (k->cipher == RECORD_AES256GCM)
		crypto_aead_aes256gcm_encrypt_detached_afternm(
			data, tag, NULL, data, bytes, aad, aad_bytes, NULL,
			nonce, &k->aes);
	else
		crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
			data, tag, NULL, data, bytes, aad, aad_bytes, NULL,
			nonce, k->key);
}

static size_t bytes_of(const struct iovec *pieces, unsigned int nr)
{
	size_t bytes = 0;
	unsigned int i;

	for (i = 0; i < nr; i++)
		bytes += pieces[i].iov_len;
	return bytes;
}

int record_seal_pieces(struct record_key *k, const void *aad, size_t aad_bytes,
		       uint8_t *out, const struct iovec *pieces,
		       unsigned int nr, uint8_t tag[RECORD_TAG_SIZE])
{
	uint8_t nonce[NONCE_MAX] = { 0 };
	size_t bytes = bytes_of(pieces, nr);
	int ret = check(k, bytes);

	if (ret)
		return ret;
	put_le(nonce, k->counter, 8);
	if (k->gcm) {
		ret = gcm_seal(k->gcm, nonce, aad, aad_bytes, out, pieces, nr,
			       tag);
	} else {
		gather(out, pieces, nr);
		seal_in_place(k, nonce, aad, aad_bytes, out, bytes, tag);
	}
	count(k, bytes);
	return ret;
}

int record_seal(struct record_key *k, const void *aad, size_t aad_bytes,
		uint8_t *data, size_t bytes, uint8_t tag[RECORD_TAG_SIZE])
{
	struct iovec piece = { .iov_base = data, .iov_len = bytes };
	uint8_t nothing;

	if (!bytes)
		data = &nothing;	/* which libsodium wants to be there */
	return record_seal_pieces(k, aad, aad_bytes, data, &piece, 1, tag);
}

static int open_in_place(const struct record_key *k, const uint8_t *nonce,
			 const void *aad, size_t aad_bytes, uint8_t *data,
			 size_t bytes, const uint8_t tag[RECORD_TAG_SIZE])
{
	if (k->gcm)
		return gcm_open(k->gcm, nonce, aad, aad_bytes, data, bytes,
				tag);
	if (k->cipher == RECORD_AES256GCM)
		return crypto_aead_aes256gcm_decrypt_detached_afternm(
			data, NULL, data, bytes, tag, aad, aad_bytes, nonce,
			&k->aes);
	return crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
		data, NULL, data, bytes, tag, aad, aad_bytes, nonce, k->key);
}

int record_open(struct record_key *k, const void *aad, size_t aad_bytes,
		uint8_t *data, size_t bytes,
		const uint8_t tag[RECORD_TAG_SIZE])
{
	uint8_t nonce[NONCE_MAX] = { 0 }, nothing;
	int ret = check(k, bytes);

	if (ret)
		return ret;
	if (!bytes)
		data = &nothing;	/* which libsodium wants to be there */
	put_le(nonce, k->counter, 8);
	if (open_in_place(k, nonce, aad, aad_bytes, data, bytes, tag)) {
		record_wipe(k);
		return -EBADMSG;
	}
	count(k, bytes);
	return 0;
}

void record_wipe(struct record_key *k)
{
	gcm_free(k->gcm);
	sodium_memzero(k, sizeof(*k));
}
