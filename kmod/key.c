// SPDX-License-Identifier: GPL-2.0
/*
 * The domain key: shared by the hosts that may learn each other's contents,
 * loaded by root, kept in its prepared form only, never given out.  What may
 * be told is its id, a digest of a fixed text under it.
 *
 * A new key makes all digests void.  Key and generation change together under
 * a lock and are read together under it, so that no digest under the old key
 * can be stored as one of the new generation.
 */
#include "key.h"

#include <linux/mm.h>
#include <linux/highmem.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <linux/umig.h>

#include "index.h"

static DEFINE_SPINLOCK(key_lock);

/* Under key_lock. */
static bool loaded;
static struct umig_blake2b_key current_key;
static u8 current_id[UMIG_KEY_ID_SIZE];

/** umig_key_loaded() - Is there a key?  There is one forever once there is. */
bool umig_key_loaded(void)
{
	return READ_ONCE(loaded);
}

/**
 * umig_key_get() - The key, to hash with.
 * @hash: out; to be wiped by the caller with memzero_explicit().
 *
 * Return: false if no key is loaded.
 */
bool umig_key_get(struct umig_hash *hash)
{
	bool ok;

	spin_lock(&key_lock);
	ok = loaded;
	if (ok) {
		hash->key = current_key;
		hash->generation = umig_index_generation();
	}
	spin_unlock(&key_lock);
	return ok;
}

/**
 * umig_key_set() - Load a key.
 * @raw: UMIG_KEY_SIZE bytes.
 *
 * The key that is loaded already changes nothing.
 */
void umig_key_set(const u8 *raw)
{
	static const char label[] = "umig key id";
	struct umig_blake2b_key key;
	u8 digest[UMIG_DIGEST_SIZE];

	umig_blake2b_set_key(&key, raw);
	umig_blake2b(&key, label, sizeof(label) - 1, digest);

	spin_lock(&key_lock);
	if (!loaded || memcmp(&key, &current_key, sizeof(key))) {
		current_key = key;
		memcpy(current_id, digest, sizeof(current_id));
		umig_index_invalidate();
		WRITE_ONCE(loaded, true);
	}
	spin_unlock(&key_lock);
	memzero_explicit(&key, sizeof(key));
}

/**
 * umig_key_id() - The key's fingerprint.
 * @id: out: UMIG_KEY_ID_SIZE bytes, all zero without a key.
 */
void umig_key_id(u8 *id)
{
	spin_lock(&key_lock);
	memcpy(id, current_id, sizeof(current_id));
	spin_unlock(&key_lock);
}

/** umig_key_wipe() - Leave nothing behind at unload. */
void umig_key_wipe(void)
{
	memzero_explicit(&current_key, sizeof(current_key));
}

/**
 * umig_hash_folio() - The digest of a page's content.
 * @hash: from umig_key_get().
 * @folio: of order 0; the caller holds a reference.
 * @bounce: a page of the caller's: broken memory is met while copying, where
 *	it is an error, and not while hashing, where it would be a panic.
 * @digest: out.
 *
 * Return: 0 or -EHWPOISON.
 */
int umig_hash_folio(const struct umig_hash *hash, struct folio *folio,
		    void *bounce, u8 *digest)
{
	void *from = kmap_local_folio(folio, 0);
	unsigned long left = copy_mc_to_kernel(bounce, from, PAGE_SIZE);

	kunmap_local(from);
	if (left)
		return -EHWPOISON;
	umig_blake2b(&hash->key, bounce, PAGE_SIZE, digest);
	return 0;
}
