/* SPDX-License-Identifier: GPL-2.0 */
/*
 * AES-256-GCM for long messages, by intel-ipsec-mb, which uses what newer CPUs
 * have (VAES, VPCLMULQDQ) and is several times as fast there as libsodium's.
 * The bytes are the same: whoever lacks it does it by libsodium.
 */
#ifndef UMIG_CRYPTO_GCM_H
#define UMIG_CRYPTO_GCM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define GCM_KEY_BYTES 32
#define GCM_NONCE_BYTES 12
#define GCM_TAG_BYTES 16

struct gcm;

/**
 * gcm_alloc() - A context without a key.
 *
 * Return: it, or NULL: the library is not usable here, or not right.
 */
struct gcm *gcm_alloc(void);

/** gcm_free() - Forgets the key.  NULL is fine. */
void gcm_free(struct gcm *g);

/** gcm_set_key() - Use @key from now on. */
void gcm_set_key(struct gcm *g, const uint8_t key[GCM_KEY_BYTES]);

/**
 * gcm_seal() - Encrypt what lies in pieces.
 * @out: where the pieces go, one behind the other.
 * @pieces: each where it goes to, or apart from all of @out.  They are read
 *	once: a piece that somebody writes to meanwhile is sealed as it was
 *	read.
 * @nr: how many; a piece may be empty.
 *
 * Return: 0; -EIO: the library refused, @out has nothing that may be sent.
 */
int gcm_seal(struct gcm *g, const uint8_t nonce[GCM_NONCE_BYTES],
	     const void *aad, size_t aad_bytes, uint8_t *out,
	     const struct iovec *pieces, unsigned int nr,
	     uint8_t tag[GCM_TAG_BYTES]);

/**
 * gcm_open() - Decrypt @data in place, and check it.
 *
 * Return: 0; -EBADMSG: it is not what was sealed, @data has nothing of use;
 * -EIO: as gcm_seal().
 */
int gcm_open(struct gcm *g, const uint8_t nonce[GCM_NONCE_BYTES],
	     const void *aad, size_t aad_bytes, uint8_t *data, size_t bytes,
	     const uint8_t tag[GCM_TAG_BYTES]);

#endif
