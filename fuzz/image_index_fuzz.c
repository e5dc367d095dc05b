// SPDX-License-Identifier: GPL-2.0
/*
 * What a file may say that is taken for an image's index: a head of any bytes,
 * of a file of any length; and a head with its check right, which would else
 * keep the fuzzer from what is behind it.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "mem/image_format.h"

#define CHECKED_BYTES 96

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void decode(const void *data, size_t bytes, uint64_t file_bytes)
{
	uint8_t again[IMAGE_HEAD_BYTES];
	struct image_head head;
	struct err err = { 0 };
	int rc = image_head_decode(data, bytes, file_bytes, &head, &err);

	if (rc && !err.text[0])
		abort();
	if (rc)
		return;
	if (!head.pages || head.pages > IMAGE_PAGES_MAX ||
	    IMAGE_HEAD_BYTES + head.pages * sizeof(struct image_record) !=
		    file_bytes)
		abort();
	image_head_encode(again, &head);
	if (memcmp(again, data, sizeof(again)))
		abort();
}

/* The first 8 bytes are the file's length. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	uint8_t head[IMAGE_HEAD_BYTES];
	uint64_t file_bytes, pages;

	if (bytes < sizeof(file_bytes))
		return 0;
	memcpy(&file_bytes, data, sizeof(file_bytes));
	data += sizeof(file_bytes);
	bytes -= sizeof(file_bytes);
	decode(data, bytes, file_bytes);
	if (bytes < sizeof(head))
		return 0;
	memcpy(head, data, sizeof(head));
	crypto_generichash(head + CHECKED_BYTES, 32, head, CHECKED_BYTES, NULL,
			   0);
	decode(head, sizeof(head), file_bytes);
	memcpy(&pages, head + 16, sizeof(pages));
	decode(head, sizeof(head),
	       IMAGE_HEAD_BYTES + pages * sizeof(struct image_record));
	return 0;
}
