// SPDX-License-Identifier: GPL-2.0
/*
 * Where image_index_fuzz begins: a right head.
 */
#include <stdio.h>
#include <string.h>

#include "mem/image_format.h"

int main(int argc, char **argv)
{
	const struct image_head head = { .pages = 131072, .key_id = { 1 },
					 .seed = { 2 } };
	uint64_t bytes = IMAGE_HEAD_BYTES +
			 head.pages * sizeof(struct image_record);
	uint8_t data[IMAGE_HEAD_BYTES];
	char path[4096];
	FILE *f;

	if (argc != 2)
		return 2;
	image_head_encode(data, &head);
	snprintf(path, sizeof(path), "%s/head", argv[1]);
	f = fopen(path, "we");
	if (!f || !fwrite(&bytes, sizeof(bytes), 1, f) ||
	    !fwrite(data, sizeof(data), 1, f) || fclose(f)) {
		perror(path);
		return 1;
	}
	return 0;
}
