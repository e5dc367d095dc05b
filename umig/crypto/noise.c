// SPDX-License-Identifier: GPL-2.0
/*
 * The handshake: see noise.h.  The names of the primitives are those of the
 * Noise specification: MixHash, MixKey, EncryptAndHash, DecryptAndHash, Split.
 *
 * IK seals with a key at most once before the next MixKey, so that the nonce
 * is always 0 and no cipher state is kept.
 */
#include "crypto/noise.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#define BLOCK_SIZE 128		/* BLAKE2b's */

_Static_assert(NOISE_HASH_SIZE == crypto_generichash_BYTES_MAX, "BLAKE2b-512");
_Static_assert(NOISE_TAG_SIZE == crypto_aead_chacha20poly1305_IETF_ABYTES,
	       "Poly1305's tag");
_Static_assert(sizeof(NOISE_NAME) - 1 <= NOISE_HASH_SIZE,
	       "a longer name would have to be hashed");

static const uint8_t nonce_zero[crypto_aead_chacha20poly1305_IETF_NPUBBYTES];

/* BLAKE2b-512 of @a and @b, one after the other. */
static void hash2(uint8_t out[NOISE_HASH_SIZE], const void *a, size_t a_bytes,
		  const void *b, size_t b_bytes)
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, NULL, 0, NOISE_HASH_SIZE);
	crypto_generichash_update(&st, a, a_bytes);
	crypto_generichash_update(&st, b, b_bytes);
	crypto_generichash_final(&st, out, NOISE_HASH_SIZE);
	sodium_memzero(&st, sizeof(st));
}

/* RFC 2104's HMAC, which Noise asks for even where BLAKE2b has keys. */
static void hmac(uint8_t out[NOISE_HASH_SIZE],
		 const uint8_t key[NOISE_HASH_SIZE], const void *data,
		 size_t bytes)
{
	uint8_t inner[BLOCK_SIZE], outer[BLOCK_SIZE], hash[NOISE_HASH_SIZE];
	size_t i;

	for (i = 0; i < BLOCK_SIZE; i++) {
		uint8_t k = i < NOISE_HASH_SIZE ? key[i] : 0;

		inner[i] = k ^ 0x36;
		outer[i] = k ^ 0x5c;
	}
	hash2(hash, inner, sizeof(inner), data, bytes);
	hash2(out, outer, sizeof(outer), hash, sizeof(hash));
	sodium_memzero(inner, sizeof(inner));
	sodium_memzero(outer, sizeof(outer));
	sodium_memzero(hash, sizeof(hash));
}

/* Two outputs of Noise's HKDF; @one may be @ck. */
static void hkdf(const uint8_t ck[NOISE_HASH_SIZE], const void *input,
		 size_t bytes, uint8_t one[NOISE_HASH_SIZE],
		 uint8_t two[NOISE_HASH_SIZE])
{
	uint8_t temp[NOISE_HASH_SIZE], next[NOISE_HASH_SIZE + 1] = { 1 };

	hmac(temp, ck, input, bytes);
	hmac(one, temp, next, 1);
	memcpy(next, one, NOISE_HASH_SIZE);
	next[NOISE_HASH_SIZE] = 2;
	hmac(two, temp, next, sizeof(next));
	sodium_memzero(temp, sizeof(temp));
	sodium_memzero(next, sizeof(next));
}

static void mix_hash(struct noise *n, const void *data, size_t bytes)
{
	hash2(n->h, n->h, sizeof(n->h), data, bytes);
}

/*
 * MixKey(DH(@secret, @public)).  A @public of small order gives zeroes, which
 * is refused: the key would be anybody's.
 */
static int mix_dh(struct noise *n, const uint8_t secret[KEY_SIZE],
		  const uint8_t public[KEY_SIZE])
{
	uint8_t shared[KEY_SIZE], temp[NOISE_HASH_SIZE];

	if (crypto_scalarmult(shared, secret, public)) {
		sodium_memzero(shared, sizeof(shared));
		return -EBADMSG;
	}
	hkdf(n->ck, shared, sizeof(shared), n->ck, temp);
	memcpy(n->k, temp, sizeof(n->k));
	sodium_memzero(shared, sizeof(shared));
	sodium_memzero(temp, sizeof(temp));
	return 0;
}

static void encrypt_and_hash(struct noise *n, const void *plain, size_t bytes,
			     uint8_t *sealed)
{
	crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, plain, bytes,
						  n->h, sizeof(n->h), NULL,
						  nonce_zero, n->k);
	mix_hash(n, sealed, bytes + NOISE_TAG_SIZE);
}

/* @bytes: with the tag. */
static int decrypt_and_hash(struct noise *n, const uint8_t *sealed,
			    size_t bytes, void *plain)
{
	if (crypto_aead_chacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed,
						      bytes, n->h,
						      sizeof(n->h), nonce_zero,
						      n->k))
		return -EBADMSG;
	mix_hash(n, sealed, bytes);
	return 0;
}

int noise_init_ephemeral(struct noise *n, bool initiator,
			 const struct keypair *own, const uint8_t *peer_public,
			 const void *prologue, size_t bytes,
			 const struct keypair *ephemeral)
{
	*n = (struct noise){ .step = NOISE_OVER };
	if (sodium_init() < 0)
		return -EIO;
	n->step = initiator ? NOISE_WRITE1 : NOISE_READ1;
	n->initiator = initiator;
	n->own = *own;
	n->ephemeral = *ephemeral;
	if (initiator)
		memcpy(n->peer_public, peer_public, KEY_SIZE);
	memcpy(n->h, NOISE_NAME, sizeof(NOISE_NAME) - 1);
	memcpy(n->ck, n->h, sizeof(n->ck));
	mix_hash(n, prologue, bytes);
	/* the pattern's pre-message: <- s */
	mix_hash(n, initiator ? n->peer_public : n->own.public, KEY_SIZE);
	return 0;
}

int noise_init(struct noise *n, bool initiator, const struct keypair *own,
	       const uint8_t *peer_public, const void *prologue, size_t bytes)
{
	struct keypair ephemeral;
	int ret = keypair_generate(&ephemeral, NULL);

	*n = (struct noise){ .step = NOISE_OVER };
	if (!ret)
		ret = noise_init_ephemeral(n, initiator, own, peer_public,
					   prologue, bytes, &ephemeral);
	keypair_wipe(&ephemeral);
	return ret;
}

/* -> e, es, s, ss */
static int write1(struct noise *n, const void *payload, size_t bytes,
		  uint8_t *out)
{
	memcpy(out, n->ephemeral.public, KEY_SIZE);
	mix_hash(n, out, KEY_SIZE);
	if (mix_dh(n, n->ephemeral.secret, n->peer_public))
		return -EBADMSG;
	encrypt_and_hash(n, n->own.public, KEY_SIZE, out + KEY_SIZE);
	if (mix_dh(n, n->own.secret, n->peer_public))
		return -EBADMSG;
	encrypt_and_hash(n, payload, bytes,
			 out + 2 * KEY_SIZE + NOISE_TAG_SIZE);
	n->step = NOISE_READ2;
	return 0;
}

static int read1(struct noise *n, const uint8_t *msg, size_t bytes,
		 uint8_t *payload)
{
	const uint8_t *sealed = msg + 2 * KEY_SIZE + NOISE_TAG_SIZE;

	memcpy(n->peer_ephemeral, msg, KEY_SIZE);
	mix_hash(n, msg, KEY_SIZE);
	if (mix_dh(n, n->own.secret, n->peer_ephemeral) ||
	    decrypt_and_hash(n, msg + KEY_SIZE, KEY_SIZE + NOISE_TAG_SIZE,
			     n->peer_public) ||
	    mix_dh(n, n->own.secret, n->peer_public) ||
	    decrypt_and_hash(n, sealed, bytes - (sealed - msg), payload))
		return -EBADMSG;
	n->step = NOISE_WRITE2;
	return 0;
}

/* <- e, ee, se */
static int write2(struct noise *n, const void *payload, size_t bytes,
		  uint8_t *out)
{
	memcpy(out, n->ephemeral.public, KEY_SIZE);
	mix_hash(n, out, KEY_SIZE);
	if (mix_dh(n, n->ephemeral.secret, n->peer_ephemeral) ||
	    mix_dh(n, n->ephemeral.secret, n->peer_public))
		return -EBADMSG;
	encrypt_and_hash(n, payload, bytes, out + KEY_SIZE);
	n->step = NOISE_SPLIT;
	return 0;
}

static int read2(struct noise *n, const uint8_t *msg, size_t bytes,
		 uint8_t *payload)
{
	memcpy(n->peer_ephemeral, msg, KEY_SIZE);
	mix_hash(n, msg, KEY_SIZE);
	if (mix_dh(n, n->ephemeral.secret, n->peer_ephemeral) ||
	    mix_dh(n, n->own.secret, n->peer_ephemeral) ||
	    decrypt_and_hash(n, msg + KEY_SIZE, bytes - KEY_SIZE, payload))
		return -EBADMSG;
	n->step = NOISE_SPLIT;
	return 0;
}

int noise_write(struct noise *n, const void *payload, size_t bytes, void *out,
		size_t room, size_t *out_bytes)
{
	bool first = n->step == NOISE_WRITE1;
	size_t overhead = first ? NOISE_MSG1_OVERHEAD : NOISE_MSG2_OVERHEAD;
	int ret;

	if (!first && n->step != NOISE_WRITE2)
		return -EPROTO;
	if (bytes > NOISE_PAYLOAD_MAX || room < bytes + overhead)
		return -EMSGSIZE;
	ret = first ? write1(n, payload, bytes, out) :
		      write2(n, payload, bytes, out);
	if (ret)
		noise_wipe(n);
	else
		*out_bytes = bytes + overhead;
	return ret;
}

/* What is wrong with a message's size alone. */
static int check_size(size_t bytes, size_t overhead, size_t room)
{
	if (bytes < overhead || bytes > NOISE_MESSAGE_MAX)
		return -EBADMSG;
	return bytes - overhead > room ? -EMSGSIZE : 0;
}

int noise_read(struct noise *n, const void *msg, size_t bytes, void *payload,
	       size_t room, size_t *payload_bytes)
{
	bool first = n->step == NOISE_READ1;
	size_t overhead = first ? NOISE_MSG1_OVERHEAD : NOISE_MSG2_OVERHEAD;
	int ret;

	if (!first && n->step != NOISE_READ2)
		return -EPROTO;
	ret = check_size(bytes, overhead, room);
	if (!ret)
		ret = first ? read1(n, msg, bytes, payload) :
			      read2(n, msg, bytes, payload);
	if (ret)
		noise_wipe(n);
	else
		*payload_bytes = bytes - overhead;
	return ret;
}

int noise_split(struct noise *n, struct noise_session *s)
{
	uint8_t one[NOISE_HASH_SIZE], two[NOISE_HASH_SIZE];

	if (n->step != NOISE_SPLIT)
		return -EPROTO;
	/* the first is for what the initiator sends */
	hkdf(n->ck, NULL, 0, one, two);
	memcpy(s->send, n->initiator ? one : two, KEY_SIZE);
	memcpy(s->recv, n->initiator ? two : one, KEY_SIZE);
	memcpy(s->id, n->h, sizeof(s->id));
	sodium_memzero(one, sizeof(one));
	sodium_memzero(two, sizeof(two));
	noise_wipe(n);
	return 0;
}

void noise_wipe(struct noise *n)
{
	sodium_memzero(n, sizeof(*n));
	n->step = NOISE_OVER;
}

void noise_session_wipe(struct noise_session *s)
{
	sodium_memzero(s, sizeof(*s));
}
