/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A host's identity: an X25519 key pair, its file, and keys as text.
 *
 * The file has the secret key in base64 and a newline; who can read it is this
 * host.  Public keys are written in base64 as well: in the peers file, by umig
 * pubkey, in messages cut to KEY_SHORT_MAX - 1 characters.
 */
#ifndef UMIG_CRYPTO_KEYS_H
#define UMIG_CRYPTO_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define KEY_SIZE 32
/* base64 with its padding, and a NUL */
#define KEY_TEXT_MAX 45
/* enough of it to find the line in a peers file, and a NUL */
#define KEY_SHORT_MAX 11

#define HOST_KEY_DIR "/etc/umig"
#define HOST_KEY_PATH HOST_KEY_DIR "/host.key"

/** struct keypair - An identity.  Wipe with keypair_wipe(). */
struct keypair {
	uint8_t public[KEY_SIZE];
	uint8_t secret[KEY_SIZE];
};

/** keypair_generate() - A new one, of the system's random numbers. */
int keypair_generate(struct keypair *kp, struct err *err);

/** keypair_from_secret() - The pair whose secret half is @secret. */
void keypair_from_secret(struct keypair *kp, const uint8_t secret[KEY_SIZE]);

/**
 * keypair_load() - Read a host key file.
 *
 * Return: 0; -EPERM: group or others may read or write it; -EINVAL: it has no
 * key; or why it can't be read: @err says so, and what to do.
 */
int keypair_load(struct keypair *kp, const char *path, struct err *err);

/**
 * keypair_store() - Make a host key file, mode 0600, durably.
 *
 * Return: 0; -EEXIST: there is something at @path, which stays as it is; or
 * why it can't be written.
 */
int keypair_store(const struct keypair *kp, const char *path,
		  struct err *err);

void keypair_wipe(struct keypair *kp);

/** key_to_text() - @key in base64; returns @text. */
const char *key_to_text(char text[KEY_TEXT_MAX], const uint8_t key[KEY_SIZE]);

/** key_short() - The first characters of it, for messages; returns @text. */
const char *key_short(char text[KEY_SHORT_MAX], const uint8_t key[KEY_SIZE]);

/**
 * key_from_text() - A key in base64: all @bytes of @text, nothing around it.
 *
 * Return: 0, -EINVAL.
 */
int key_from_text(uint8_t key[KEY_SIZE], const char *text, size_t bytes);

#endif
