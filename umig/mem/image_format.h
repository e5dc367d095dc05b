/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The bytes of an image's index (image_index.h): pure functions.
 *
 *	IMAGE        page 0 | page 1 | ...        4096 bytes each, by dense index
 *	IMAGE.index  head, 128 bytes | record 0 | record 1 | ...  48 bytes each
 *
 * The head, little endian:
 *
 *	0   8  "UMIGIDX\n"
 *	8   4  version, 1
 *	12  4  bytes of a record, 48
 *	16  8  pages
 *	24  16 id of the domain key
 *	40  32 seed of the sums' key
 *	72  24 zeroes
 *	96  32 BLAKE2b-256 of the bytes before: notices damage, not malice
 *
 * A record has the page's keyed BLAKE2b-256, as the kernel module makes them,
 * and its sum (page_sum.h); a page of zeroes has a record of zeroes.
 */
#ifndef UMIG_MEM_IMAGE_FORMAT_H
#define UMIG_MEM_IMAGE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "mem/digest_source.h"
#include "mem/page_sum.h"

#define IMAGE_HEAD_BYTES 128
/* 16 TiB less a page: a number of a page, + 1, fits into 32 bits. */
#define IMAGE_PAGES_MAX ((1ULL << 32) - 1)

/** struct image_record - What the index says of a page: the file's format. */
struct image_record {
	digest_t digest;
	page_sum_t sum;
};

_Static_assert(sizeof(struct image_record) == 48, "a format");

/**
 * struct image_head - How the index begins, decoded.
 * @pages: of the image, and records.
 * @key_id: of the domain key that the digests are made with.
 * @seed: of the sums' key, random.
 */
struct image_head {
	uint64_t pages;
	uint8_t key_id[16];
	uint8_t seed[PAGE_SUM_SEED_BYTES];
};

void image_head_encode(uint8_t to[IMAGE_HEAD_BYTES],
		       const struct image_head *head);

/**
 * image_head_decode() - From the first @bytes of a file of @file_bytes.
 *
 * Return: 0; -EBADMSG: it is no index, is damaged, or has another length than
 * its number of records needs; -EPROTO: of another version; with words that
 * continue "FILE: " in @err.
 */
int image_head_decode(const void *data, size_t bytes, uint64_t file_bytes,
		      struct image_head *out, struct err *err);

/** image_record_empty() - A page of zeroes, of which nothing is said. */
bool image_record_empty(const struct image_record *record);

#endif
