// SPDX-License-Identifier: GPL-2.0
/*
 * AES-256-GCM by libgcrypt: see gcm.h.
 */
#include "crypto/gcm.h"

#include <errno.h>
#include <gcrypt.h>
#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Longer than what any implementation does at once, and odd. */
#define CHECK_BYTES 1027

struct gcm {
	gcry_cipher_hd_t cipher;
};

static pthread_once_t checked = PTHREAD_ONCE_INIT;
static bool usable;

static struct gcm *alloc(void)
{
	struct gcm *g = calloc(1, sizeof(*g));

	if (g && !gcry_cipher_open(&g->cipher, GCRY_CIPHER_AES256,
				   GCRY_CIPHER_MODE_GCM, 0))
		return g;
	free(g);
	return NULL;
}

/* Whether it makes of @data what libsodium makes of it. */
static bool agrees(struct gcm *g, const uint8_t *key, uint8_t *data)
{
	uint8_t expected[CHECK_BYTES], tag[2][GCM_TAG_BYTES];
	const uint8_t nonce[GCM_NONCE_BYTES] = { 1 };

	memcpy(expected, data, CHECK_BYTES);
	crypto_aead_aes256gcm_encrypt_detached(expected, tag[0], NULL, expected,
					       CHECK_BYTES, key, 4, NULL,
					       nonce, key);
	return !gcm_set_key(g, key) &&
	       !gcm_seal(g, nonce, key, 4, data, CHECK_BYTES, tag[1]) &&
	       !memcmp(data, expected, CHECK_BYTES) &&
	       !memcmp(tag[0], tag[1], GCM_TAG_BYTES) &&
	       !gcm_open(g, nonce, key, 4, data, CHECK_BYTES, tag[0]);
}

static void check(void)
{
	uint8_t key[GCM_KEY_BYTES] = { 2 }, data[CHECK_BYTES] = { 3 };
	struct gcm *g;

	/* somebody else in this process may have initialised it */
	if (!gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
		if (!gcry_check_version(NULL))
			return;
		gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
		gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	}
	if (sodium_init() < 0 || !crypto_aead_aes256gcm_is_available())
		return;
	g = alloc();
	usable = g && agrees(g, key, data);
	gcm_free(g);
}

struct gcm *gcm_alloc(void)
{
	pthread_once(&checked, check);
	return usable ? alloc() : NULL;
}

void gcm_free(struct gcm *g)
{
	if (!g)
		return;
	gcry_cipher_close(g->cipher);
	free(g);
}

int gcm_set_key(struct gcm *g, const uint8_t key[GCM_KEY_BYTES])
{
	return gcry_cipher_setkey(g->cipher, key, GCM_KEY_BYTES) ? -EIO : 0;
}

static int begin(struct gcm *g, const uint8_t *nonce, const void *aad,
		 size_t aad_bytes)
{
	if (gcry_cipher_setiv(g->cipher, nonce, GCM_NONCE_BYTES) ||
	    gcry_cipher_authenticate(g->cipher, aad, aad_bytes))
		return -EIO;
	return 0;
}

int gcm_seal(struct gcm *g, const uint8_t nonce[GCM_NONCE_BYTES],
	     const void *aad, size_t aad_bytes, uint8_t *data, size_t bytes,
	     uint8_t tag[GCM_TAG_BYTES])
{
	int rc = begin(g, nonce, aad, aad_bytes);

	if (!rc && (gcry_cipher_encrypt(g->cipher, data, bytes, NULL, 0) ||
		    gcry_cipher_gettag(g->cipher, tag, GCM_TAG_BYTES)))
		rc = -EIO;
	return rc;
}

int gcm_open(struct gcm *g, const uint8_t nonce[GCM_NONCE_BYTES],
	     const void *aad, size_t aad_bytes, uint8_t *data, size_t bytes,
	     const uint8_t tag[GCM_TAG_BYTES])
{
	if (begin(g, nonce, aad, aad_bytes) ||
	    gcry_cipher_decrypt(g->cipher, data, bytes, NULL, 0) ||
	    gcry_cipher_checktag(g->cipher, tag, GCM_TAG_BYTES))
		return -EBADMSG;
	return 0;
}
