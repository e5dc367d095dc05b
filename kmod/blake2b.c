// SPDX-License-Identifier: GPL-2.0
/*
 * Keyed BLAKE2b-256 as in RFC 7693, sequential, one message at once.  Pure
 * computation: no locks, no allocation, may be called from any context that
 * has half a kilobyte of stack.  blake2b_test_vectors.h holds what another
 * implementation says of the same input; the module doesn't load if they
 * differ.
 */
#include "blake2b.h"

#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat/compat.h"

#include "blake2b_test_vectors.h"

static const u64 iv[8] = {
	0x6a09e667f3bcc908ULL, 0xbb67ae8584caa73bULL,
	0x3c6ef372fe94f82bULL, 0xa54ff53a5f1d36f1ULL,
	0x510e527fade682d1ULL, 0x9b05688c2b3e6c1fULL,
	0x1f83d9abfb41bd6bULL, 0x5be0cd19137e2179ULL,
};

/* Twelve rounds: the last two use the permutations of the first two again. */
static const u8 sigma[10][16] = {
	{  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10,  4,  8,  9, 15, 13,  6,  1, 12,  0,  2, 11,  7,  5,  3 },
	{ 11,  8, 12,  0,  5,  2, 15, 13, 10, 14,  3,  6,  7,  1,  9,  4 },
	{  7,  9,  3,  1, 13, 12, 11, 14,  2,  6,  5, 10,  4,  0, 15,  8 },
	{  9,  0,  5,  7,  2,  4, 10, 15, 14,  1, 11, 12,  6,  8,  3, 13 },
	{  2, 12,  6, 10,  0, 11,  8,  3,  4, 13,  7,  5, 15, 14,  1,  9 },
	{ 12,  5,  1, 15, 14, 13,  4, 10,  0,  7,  6,  3,  9,  2,  8, 11 },
	{ 13, 11,  7, 14, 12,  1,  3,  9,  5,  0, 15,  4,  8,  6,  2, 10 },
	{  6, 15, 14,  9, 11,  3,  0,  8, 12,  2, 13,  7,  1,  4, 10,  5 },
	{ 10,  2,  8,  4,  7,  6,  1,  5, 15, 11,  9, 14,  3, 12, 13,  0 },
};

static __always_inline void mix(u64 *v, int a, int b, int c, int d,
				u64 x, u64 y)
{
	v[a] += v[b] + x;
	v[d] = ror64(v[d] ^ v[a], 32);
	v[c] += v[d];
	v[b] = ror64(v[b] ^ v[c], 24);
	v[a] += v[b] + y;
	v[d] = ror64(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = ror64(v[b] ^ v[c], 63);
}

static __always_inline void mix_round(u64 *v, const u64 *m, const u8 *s)
{
	mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
	mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
	mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
	mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
	mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
	mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
	mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
	mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
}

/*
 * @count: bytes hashed so far, this block's included.
 *
 * The rounds are written out so that the compiler sees which word is used
 * where: a loop takes two thirds longer.
 */
static void compress(u64 h[8], const u8 *block, u64 count, bool last)
{
	u64 v[16], m[16];
	int i;

	for (i = 0; i < 16; i++)
		m[i] = get_unaligned_le64(block + 8 * i);
	memcpy(v, h, 64);
	memcpy(v + 8, iv, 64);
	v[12] ^= count;
	if (last)
		v[14] = ~v[14];

	mix_round(v, m, sigma[0]);
	mix_round(v, m, sigma[1]);
	mix_round(v, m, sigma[2]);
	mix_round(v, m, sigma[3]);
	mix_round(v, m, sigma[4]);
	mix_round(v, m, sigma[5]);
	mix_round(v, m, sigma[6]);
	mix_round(v, m, sigma[7]);
	mix_round(v, m, sigma[8]);
	mix_round(v, m, sigma[9]);
	mix_round(v, m, sigma[0]);
	mix_round(v, m, sigma[1]);

	for (i = 0; i < 8; i++)
		h[i] ^= v[i] ^ v[i + 8];
}

/* The state before any block: parameters are key and digest length. */
static void init_state(u64 h[8])
{
	memcpy(h, iv, 64);
	h[0] ^= 0x01010000 ^ (32 << 8) ^ 32;
}

/**
 * umig_blake2b_set_key() - Prepare a key.
 * @key: out.
 * @raw: 32 bytes.
 */
void umig_blake2b_set_key(struct umig_blake2b_key *key, const u8 raw[32])
{
	u8 block[UMIG_BLAKE2B_BLOCK] = {};

	memcpy(block, raw, 32);
	init_state(key->h);
	compress(key->h, block, UMIG_BLAKE2B_BLOCK, false);
	memzero_explicit(block, sizeof(block));
}

/**
 * umig_blake2b() - The keyed digest of a message.
 * @key: from umig_blake2b_set_key().
 * @data: the message.
 * @len: its length, not 0: the empty message's only block would be the key's,
 *	which is not what @key holds.
 * @out: 32 bytes.
 */
void umig_blake2b(const struct umig_blake2b_key *key, const void *data,
		  size_t len, u8 out[32])
{
	u8 tail[UMIG_BLAKE2B_BLOCK] = {};
	u64 count = UMIG_BLAKE2B_BLOCK;
	const u8 *in = data;
	u64 h[8];
	int i;

	memcpy(h, key->h, sizeof(h));
	for (; len > UMIG_BLAKE2B_BLOCK; len -= UMIG_BLAKE2B_BLOCK) {
		count += UMIG_BLAKE2B_BLOCK;
		compress(h, in, count, false);
		in += UMIG_BLAKE2B_BLOCK;
	}
	if (len == UMIG_BLAKE2B_BLOCK) {
		compress(h, in, count + len, true);
	} else {
		memcpy(tail, in, len);
		compress(h, tail, count + len, true);
	}
	for (i = 0; i < 4; i++)
		put_unaligned_le64(h[i], out + 8 * i);
}

/**
 * umig_blake2b_selftest() - Compare with another implementation's digests.
 *
 * Return: 0, -EBADMSG if a digest differs, -ENOMEM.
 */
int umig_blake2b_selftest(void)
{
	const struct blake2b_test_vector *t;
	struct umig_blake2b_key key;
	u8 raw[32], out[32];
	int err = 0;
	u8 *data;
	size_t i;

	data = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	for (i = 0; i < PAGE_SIZE; i++)
		data[i] = i * 7 + (i >> 8);
	for (i = 0; i < ARRAY_SIZE(blake2b_test_vectors); i++) {
		t = &blake2b_test_vectors[i];
		memset(raw, t->key_byte, sizeof(raw));
		umig_blake2b_set_key(&key, raw);
		umig_blake2b(&key, data, t->len, out);
		if (memcmp(out, t->digest, sizeof(out)))
			err = -EBADMSG;
	}
	kfree(data);
	return err;
}
