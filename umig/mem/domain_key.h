/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The domain key outside the kernel: made, read from a file, written as text.
 * Hosts that share it can ask each other for pages by digest.
 */
#ifndef UMIG_MEM_DOMAIN_KEY_H
#define UMIG_MEM_DOMAIN_KEY_H

#include <stdint.h>

#include <linux/umig.h>

#include "lib/err.h"

#define DOMAIN_KEY_HEX_MAX (2 * UMIG_KEY_SIZE + 1)

/**
 * domain_key_read() - From @path, "-": from stdin.
 *
 * The file has UMIG_KEY_SIZE raw bytes, or twice as many hexadecimal digits
 * with blanks or newlines around them.  -EINVAL if neither.  The caller wipes
 * @key; nothing else keeps a copy.
 */
int domain_key_read(const char *path, uint8_t key[UMIG_KEY_SIZE],
		    struct err *err);

/**
 * domain_key_digest() - The digest of 4096 bytes at @page under @key, as the
 * kernel module makes it: keyed BLAKE2b-256.
 */
void domain_key_digest(const uint8_t key[UMIG_KEY_SIZE], const void *page,
		       uint8_t digest[UMIG_DIGEST_SIZE]);

/** domain_key_id() - The fingerprint that the kernel module gives to @key. */
void domain_key_id(const uint8_t key[UMIG_KEY_SIZE],
		   uint8_t id[UMIG_KEY_ID_SIZE]);

/**
 * domain_key_same() - Whether the digests of two sources are of one key.
 * @a, @b: what they are called.
 *
 * Return: 0, or -EXDEV with the remedy in @err.
 */
int domain_key_same(const char *a, const uint8_t a_id[UMIG_KEY_ID_SIZE],
		    const char *b, const uint8_t b_id[UMIG_KEY_ID_SIZE],
		    struct err *err);

/** domain_key_generate() - A random one, in hexadecimal.  The caller wipes. */
int domain_key_generate(char hex[DOMAIN_KEY_HEX_MAX], struct err *err);

#endif
