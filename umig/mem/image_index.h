/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The index of an image: what pages a raw image of guest RAM has, by digest, in
 * a file beside it, IMAGE.index (image_format.h).
 *
 * What is in the file is a hint.  It was right when the index was made; image
 * and index may have been changed since.  So neither end believes it: the
 * source names a page by a digest only if the page's sum is the record's now,
 * and the destination keeps what it has read from the image only if the sum of
 * that is the record's.  A record that is damaged thus costs a page sent whole.
 * Nobody maps either file: a file that is cut short, or a disk that fails, is
 * an error to read(2), and SIGBUS to who maps it.
 */
#ifndef UMIG_MEM_IMAGE_INDEX_H
#define UMIG_MEM_IMAGE_INDEX_H

#include <stdint.h>

#include <linux/umig.h>

#include "lib/err.h"
#include "mem/image_format.h"

#define IMAGE_INDEX_SUFFIX ".index"
#define IMAGE_BATCH 512

/**
 * struct image_index - An open index.  Immutable: any thread may read.
 * @fd: the file.
 */
struct image_index {
	int fd;
	struct image_head head;
	struct page_sum_key sum_key;
};

/**
 * image_index_open() - That of @image.
 *
 * Return: 0, or -errno with the remedy in @err.
 */
int image_index_open(struct image_index *ix, const char *image,
		     struct err *err);

/** image_index_close() - Also after a failed open; idempotent. */
void image_index_close(struct image_index *ix);

/** image_index_read() - @n records from @first on: 0, or -errno. */
int image_index_read(const struct image_index *ix, uint64_t first,
		     unsigned int n, struct image_record *out);

/**
 * struct image_made - What image_index_make() has found.
 * @pages: of the image,
 * @zero: of these, pages of zeroes.
 */
struct image_made {
	uint64_t pages;
	uint64_t zero;
};

/**
 * image_index_make() - Make the index of @image, or make it anew.
 *
 * It is there whole, under its name and on the disk, or as it was before.
 */
int image_index_make(const char *image, const uint8_t key[UMIG_KEY_SIZE],
		     struct image_made *made, struct err *err);

/** image_read() - Up to @bytes at @offset of @fd: how many, or -errno. */
int64_t image_read(int fd, void *to, uint64_t bytes, uint64_t offset);

#endif
