// SPDX-License-Identifier: GPL-2.0
/*
 * AES-256-GCM by intel-ipsec-mb: see gcm.h.
 */
#include "crypto/gcm.h"

#include <errno.h>
#include <intel-ipsec-mb.h>
#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/*
 * Longer than what any implementation does at once, and odd; what lies elsewhere
 * begins and ends within a block.
 */
#define CHECK_BYTES 1027
#define CHECK_FIRST 24
#define CHECK_LAST 27

/* Keys are loaded by whole vectors. */
#define GCM_ALIGN 64

struct gcm {
	struct gcm_key_data key;
	struct gcm_context_data message;
};

_Static_assert(!offsetof(struct gcm, key), "aligned as the whole is");

static pthread_once_t checked = PTHREAD_ONCE_INIT;
/* Which implementation is this CPU's; only read once it has been chosen. */
static IMB_MGR *mb;
static bool usable;

static struct gcm *alloc(void)
{
	size_t bytes = (sizeof(struct gcm) + GCM_ALIGN - 1) & -GCM_ALIGN;
	struct gcm *g = aligned_alloc(GCM_ALIGN, bytes);

	if (g)
		memset(g, 0, sizeof(*g));
	return g;
}

/* Whether it makes of some bytes what libsodium makes of them. */
static bool agrees(struct gcm *g)
{
	uint8_t data[CHECK_BYTES] = { 3 }, out[CHECK_BYTES] = { 3 };
	uint8_t expected[CHECK_BYTES], tag[2][GCM_TAG_BYTES];
	const uint8_t nonce[GCM_NONCE_BYTES] = { 1 };
	const uint8_t key[GCM_KEY_BYTES] = { 2 };
	const struct iovec pieces[] = {
		{ out, CHECK_FIRST },
		{ data + CHECK_FIRST, CHECK_BYTES - CHECK_FIRST - CHECK_LAST },
		{ out + CHECK_BYTES - CHECK_LAST, CHECK_LAST },
	};

	memset(data + CHECK_BYTES - CHECK_LAST, 5, CHECK_LAST);
	memset(out + CHECK_BYTES - CHECK_LAST, 5, CHECK_LAST);
	crypto_aead_aes256gcm_encrypt_detached(expected, tag[0], NULL, data,
					       CHECK_BYTES, key, 4, NULL,
					       nonce, key);
	gcm_set_key(g, key);
	return !gcm_seal(g, nonce, key, 4, out, pieces, 3, tag[1]) &&
	       !memcmp(out, expected, CHECK_BYTES) &&
	       !memcmp(tag[0], tag[1], GCM_TAG_BYTES) &&
	       !gcm_open(g, nonce, key, 4, out, CHECK_BYTES, tag[0]) &&
	       !memcmp(out, data, CHECK_BYTES);
}

static void check(void)
{
	struct gcm *g;
	IMB_ARCH arch;

	if (sodium_init() < 0 || !crypto_aead_aes256gcm_is_available())
		return;
	mb = alloc_mb_mgr(0);
	if (!mb)
		return;
	init_mb_mgr_auto(mb, &arch);
	if (imb_get_errno(mb))
		return;
	g = alloc();
	usable = g && agrees(g);
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
	sodium_memzero(g, sizeof(*g));
	free(g);
}

void gcm_set_key(struct gcm *g, const uint8_t key[GCM_KEY_BYTES])
{
	IMB_AES256_GCM_PRE(mb, key, &g->key);
}

/*
 * Given bytes that it doesn't like, the library leaves them, and says so to
 * nobody in particular; but it counts those that it took.
 */
static int finished(const struct gcm *g, size_t bytes)
{
	return g->message.in_length == bytes ? 0 : -EIO;
}

int gcm_seal(struct gcm *g, const uint8_t nonce[GCM_NONCE_BYTES],
	     const void *aad, size_t aad_bytes, uint8_t *out,
	     const struct iovec *pieces, unsigned int nr,
	     uint8_t tag[GCM_TAG_BYTES])
{
	size_t done = 0;
	unsigned int i;

	IMB_AES256_GCM_INIT(mb, &g->key, &g->message, nonce, aad, aad_bytes);
	for (i = 0; i < nr; i++) {
		size_t bytes = pieces[i].iov_len;

		if (!bytes)
			continue;
		IMB_AES256_GCM_ENC_UPDATE(mb, &g->key, &g->message, out + done,
					  pieces[i].iov_base, bytes);
		done += bytes;
	}
	IMB_AES256_GCM_ENC_FINALIZE(mb, &g->key, &g->message, tag,
				    GCM_TAG_BYTES);
	return finished(g, done);
}

int gcm_open(struct gcm *g, const uint8_t nonce[GCM_NONCE_BYTES],
	     const void *aad, size_t aad_bytes, uint8_t *data, size_t bytes,
	     const uint8_t tag[GCM_TAG_BYTES])
{
	uint8_t computed[GCM_TAG_BYTES];
	unsigned int i;

	/* what isn't right unless it is written */
	for (i = 0; i < GCM_TAG_BYTES; i++)
		computed[i] = ~tag[i];
	IMB_AES256_GCM_INIT(mb, &g->key, &g->message, nonce, aad, aad_bytes);
	if (bytes)
		IMB_AES256_GCM_DEC_UPDATE(mb, &g->key, &g->message, data, data,
					  bytes);
	IMB_AES256_GCM_DEC_FINALIZE(mb, &g->key, &g->message, computed,
				    GCM_TAG_BYTES);
	if (finished(g, bytes))
		return -EIO;
	return sodium_memcmp(computed, tag, GCM_TAG_BYTES) ? -EBADMSG : 0;
}
