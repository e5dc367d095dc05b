// SPDX-License-Identifier: GPL-2.0
/*
 * Images of memory for tests: see image_file.h.
 */
#include "umig/image_file.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "mem/image_index.h"

const uint8_t image_file_key[UMIG_KEY_SIZE] = "the key of the tests' fleet";

void image_file_write(const char *path, const void *data, size_t bytes,
		      uint64_t offset)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ssize_t n = pwrite(fd, data, bytes, offset);

	assert(n == (ssize_t)bytes);
	close(fd);
}

void image_file_flip(const char *path, uint64_t offset)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t b;
	ssize_t n = pread(fd, &b, 1, offset);

	assert(n == 1);
	b ^= 0x10;
	n = pwrite(fd, &b, 1, offset);
	assert(n == 1);
	close(fd);
}

void image_file_index(const char *path)
{
	struct image_made made;
	struct err err = { 0 };
	int rc = image_index_make(path, image_file_key, &made, &err);

	if (rc)
		fprintf(stderr, "# %s\n", err_text(&err));
	assert(!rc);
}
