/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Keyed BLAKE2b (RFC 7693) with 32 bytes of output and a 32-byte key.  The
 * module carries its own because the kernel's interface to BLAKE2b changed
 * between the versions that it is built for, and because a page's digest must
 * not depend on which crypto modules are loaded.
 */
#ifndef UMIG_BLAKE2B_H
#define UMIG_BLAKE2B_H

#include <linux/types.h>

#define UMIG_BLAKE2B_BLOCK	128

/**
 * struct umig_blake2b_key - A key, ready for use: secret.
 * @h: the hash's state after the block that carries the key, which is the same
 *	for every message: each digest starts from here and saves that block.
 */
struct umig_blake2b_key {
	u64 h[8];
};

void umig_blake2b_set_key(struct umig_blake2b_key *key, const u8 raw[32]);
void umig_blake2b(const struct umig_blake2b_key *key, const void *data,
		  size_t len, u8 out[32]);
int umig_blake2b_selftest(void);

#endif
