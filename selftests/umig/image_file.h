/* SPDX-License-Identifier: GPL-2.0 */
/* Images of memory for tests: written, indexed with a fixed key, tampered with. */
#ifndef SELFTESTS_IMAGE_FILE_H
#define SELFTESTS_IMAGE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include <linux/umig.h>

extern const uint8_t image_file_key[UMIG_KEY_SIZE];

/** image_file_write() - Put @bytes at @offset of @path, made if need be. */
void image_file_write(const char *path, const void *data, size_t bytes,
		      uint64_t offset);

/** image_file_flip() - Change one bit of the byte at @offset. */
void image_file_flip(const char *path, uint64_t offset);

/** image_file_index() - umig image index @path. */
void image_file_index(const char *path);

#endif
