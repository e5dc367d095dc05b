// SPDX-License-Identifier: GPL-2.0
/*
 * Seeds of packed_fuzz: batches of a few pages, packed by each codec, and one
 * to pack.  argv[1]: where to.
 */
#include <stdio.h>
#include <string.h>

#include "migrate/pack.h"
#include "wire/pages.h"

#define PAGES 3
#define ROOM (PAGES * 5000)

static int save(const char *dir, const char *name, const void *data,
		size_t bytes)
{
	char path[4096];
	FILE *f;
	int bad;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	if (!f)
		return -1;
	bad = fwrite(data, 1, bytes, f) != bytes;
	return fclose(f) || bad ? -1 : 0;
}

static size_t make_payload(uint8_t *room)
{
	static uint8_t full[WIRE_PAYLOAD_MAX];
	struct pages_writer w;
	unsigned int i, k;
	uint8_t *at;
	size_t bytes;

	pages_writer_init(&w, full, 1);
	pages_writer_add(&w, 1000, WIRE_RUN_ZERO);
	for (i = 0; i < PAGES; i++) {
		at = pages_writer_add(&w, i, WIRE_RUN_PLAIN);
		for (k = 0; k < 4096; k++)
			at[k] = k % 7 ? i : k * k >> 3;
	}
	bytes = pages_writer_end(&w);
	memcpy(room, full, bytes);
	return bytes;
}

int main(int argc, char **argv)
{
	static const struct pack_plan plans[] = {
		{ WIRE_CODEC_LZ4, 0 }, { WIRE_CODEC_ZSTD, 1 },
		{ WIRE_CODEC_ZSTD, PACK_LEVEL_MAX },
	};
	uint8_t raw[1 + ROOM] = { 0x81 }, packed[ROOM];
	struct packer p = { 0 };
	size_t bytes, n, i;
	char name[32];
	int rc;

	if (argc != 2 || packer_init(&p))
		return 2;
	bytes = make_payload(raw + 1);
	rc = save(argv[1], "raw", raw, bytes + 1);
	for (i = 0; !rc && i < sizeof(plans) / sizeof(plans[0]); i++) {
		snprintf(name, sizeof(name), "packed-%zu", i);
		rc = pack(&p, plans[i], raw + 1, bytes, packed, sizeof(packed),
			  &n);
		if (!rc)
			rc = save(argv[1], name, packed, n);
	}
	packer_exit(&p);
	return rc ? 1 : 0;
}
