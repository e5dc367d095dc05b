// SPDX-License-Identifier: GPL-2.0
/*
 * What a possession proof costs a page, beside copying the page and beside
 * hashing it: the ratios hold on other machines, the times do not.
 */
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/proof.h"
#include "lib/clock.h"

#define PAGE_BYTES 4096
#define PAGES 16384		/* 64 MiB: more than caches have */
#define PASSES 5

static uint8_t *pages;
static uint8_t out[PAGE_BYTES];
static struct proof_key key;

static void copy(uint32_t i)
{
	memcpy(out, pages + (size_t)i * PAGE_BYTES, PAGE_BYTES);
	__asm__ volatile("" : : "r"(out) : "memory");
}

static void hash(uint32_t i)
{
	crypto_generichash(out, 32, pages + (size_t)i * PAGE_BYTES,
			   PAGE_BYTES, key.nonce, sizeof(key.nonce));
}

static void prove(uint32_t i)
{
	proof_make(&key, i, pages + (size_t)i * PAGE_BYTES, out);
}

/* The best pass, in ns a page. */
static double measure(void (*what)(uint32_t i))
{
	uint64_t best = UINT64_MAX, began, took;
	uint32_t pass, i;

	for (pass = 0; pass < PASSES; pass++) {
		began = clock_now_ns();
		for (i = 0; i < PAGES; i++)
			what(i);
		took = clock_now_ns() - began;
		best = took < best ? took : best;
	}
	return (double)best / PAGES;
}

int main(void)
{
	static const uint8_t nonce[PROOF_NONCE_BYTES] = { 1 };
	double memcpy_ns, hash_ns, sampled_ns, full_ns;

	pages = malloc((size_t)PAGES * PAGE_BYTES);
	if (!pages || sodium_init() < 0)
		return EXIT_FAILURE;
	randombytes_buf(pages, (size_t)PAGES * PAGE_BYTES);
	memcpy_ns = measure(copy);
	hash_ns = measure(hash);
	proof_key_init(&key, nonce, PROOF_SAMPLED);
	sampled_ns = measure(prove);
	proof_key_init(&key, nonce, PROOF_FULL);
	full_ns = measure(prove);
	printf("%-14s %10s %12s %12s\n", "a page", "ns", "of a memcpy",
	       "of BLAKE2b");
	printf("%-14s %10.0f %12.2f %12.3f\n", "memcpy", memcpy_ns, 1.0,
	       memcpy_ns / hash_ns);
	printf("%-14s %10.0f %12.2f %12.3f\n", "BLAKE2b-256", hash_ns,
	       hash_ns / memcpy_ns, 1.0);
	printf("%-14s %10.0f %12.2f %12.3f\n", "sampled proof", sampled_ns,
	       sampled_ns / memcpy_ns, sampled_ns / hash_ns);
	printf("%-14s %10.0f %12.2f %12.3f\n", "full proof", full_ns,
	       full_ns / memcpy_ns, full_ns / hash_ns);
	free(pages);
	return EXIT_SUCCESS;
}
