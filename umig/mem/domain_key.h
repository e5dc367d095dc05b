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

/** domain_key_generate() - A random one, in hexadecimal.  The caller wipes. */
int domain_key_generate(char hex[DOMAIN_KEY_HEX_MAX], struct err *err);

#endif
