/* SPDX-License-Identifier: GPL-2.0 */
/*
 * AES-256-GCM in place for long messages, by libgcrypt, which uses what newer
 * CPUs have and is three times as fast there as libsodium's.  The bytes are the
 * same: whoever lacks it does it by libsodium.
 */
#ifndef UMIG_CRYPTO_GCM_H
#define UMIG_CRYPTO_GCM_H

#include <stddef.h>
#include <stdint.h>

#define GCM_KEY_BYTES 32
#define GCM_NONCE_BYTES 12
#define GCM_TAG_BYTES 16

struct gcm;

/**
 * gcm_alloc() - A context without a key.
 *
 * Return: it, or NULL: libgcrypt is not usable here, or not right.
 */
struct gcm *gcm_alloc(void);

/** gcm_free() - Forgets the key.  NULL is fine. */
void gcm_free(struct gcm *g);

/** gcm_set_key() - Use @key from now on: 0, or -EIO. */
int gcm_set_key(struct gcm *g, const uint8_t key[GCM_KEY_BYTES]);

/** gcm_seal() - Encrypt @data in place: 0, or -EIO. */
int gcm_seal(struct gcm *g, const uint8_t nonce[GCM_NONCE_BYTES],
	     const void *aad, size_t aad_bytes, uint8_t *data, size_t bytes,
	     uint8_t tag[GCM_TAG_BYTES]);

/**
 * gcm_open() - Decrypt @data in place, and check it.
 *
 * Return: 0; -EBADMSG: it is not what was sealed, @data has nothing of use.
 */
int gcm_open(struct gcm *g, const uint8_t nonce[GCM_NONCE_BYTES],
	     const void *aad, size_t aad_bytes, uint8_t *data, size_t bytes,
	     const uint8_t tag[GCM_TAG_BYTES]);

#endif
