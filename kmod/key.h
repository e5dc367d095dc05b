/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The domain key, and digests of pages under it.
 */
#ifndef UMIG_KEY_H
#define UMIG_KEY_H

#include <linux/types.h>

#include "blake2b.h"

struct folio;

/**
 * struct umig_hash - A key as it was at one time: secret.
 * @key: for umig_hash_folio().
 * @generation: digests made with @key are of this generation of the index.
 */
struct umig_hash {
	struct umig_blake2b_key key;
	u64 generation;
};

bool umig_key_loaded(void);
bool umig_key_get(struct umig_hash *hash);
void umig_key_set(const u8 *raw);
void umig_key_id(u8 *id);
void umig_key_wipe(void);

int umig_hash_folio(const struct umig_hash *hash, struct folio *folio,
		    void *bounce, u8 *digest);

#endif
