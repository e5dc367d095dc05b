// SPDX-License-Identifier: GPL-2.0
/*
 * What packing costs and saves: MB/s of packing and unpacking, and the ratio,
 * for each codec and level over blocks of 4 KiB to 2 MiB of a given file: a
 * guest's memory, say.  Pages of zeroes are left out, as they never are packed.
 *
 * Prints a line each; with a second file's name, writes the numbers there as
 * JSON.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem/zero.h"
#include "measure.h"
#include "migrate/pack.h"
#include "wire/frame.h"

#define ROUNDS 3
#define PAGE 4096
/* As much of the file as is measured. */
#define DATA_MAX (16U << 20)

static const struct pack_plan plans[] = {
	{ WIRE_CODEC_LZ4, 0 }, { WIRE_CODEC_ZSTD, 1 }, { WIRE_CODEC_ZSTD, 3 },
	{ WIRE_CODEC_ZSTD, 6 }, { WIRE_CODEC_ZSTD, PACK_LEVEL_MAX },
};

static const size_t blocks[] = {
	4U << 10, 16U << 10, 64U << 10, 256U << 10, 1U << 20, 2U << 20,
};

#define PLANS (sizeof(plans) / sizeof(plans[0]))
#define BLOCKS (sizeof(blocks) / sizeof(blocks[0]))

/* struct load - @bytes of @data in blocks, and what became of them. */
struct load {
	struct pack_plan plan;
	size_t block;
	const uint8_t *data;
	size_t bytes;
	struct packer packer;
	struct unpacker unpacker;
	uint8_t *packed;	/* block after block, each in a block's room */
	size_t *length;		/* of each; as long as the block: as it was */
	size_t total;
	bool check;
};

static void fail(const char *what)
{
	fprintf(stderr, "pack_bench: %s\n", what);
	exit(2);
}

static void run_pack(void *arg)
{
	struct load *l = arg;
	size_t at, n = 0;

	l->total = 0;
	for (at = 0; at < l->bytes; at += l->block, n++) {
		if (pack(&l->packer, l->plan, l->data + at, l->block,
			 l->packed + at, l->block, &l->length[n]))
			l->length[n] = l->block;
		l->total += l->length[n];
	}
}

static void run_unpack(void *arg)
{
	static uint8_t room[WIRE_PAYLOAD_MAX];
	struct load *l = arg;
	size_t at, out, n = 0;

	for (at = 0; at < l->bytes; at += l->block, n++) {
		if (l->length[n] == l->block)
			continue;
		if (unpack(&l->unpacker, l->packed + at, l->length[n], room,
			   sizeof(room), &out))
			fail("what was packed doesn't unpack");
		if (l->check && memcmp(room, l->data + at, l->block))
			fail("what was packed comes back as something else");
	}
}

static void load_init(struct load *l, struct pack_plan plan, size_t block,
		      const uint8_t *data, size_t bytes)
{
	*l = (struct load){ .plan = plan, .block = block, .data = data };
	l->bytes = bytes / block * block;
	l->packed = malloc(l->bytes + block);
	l->length = calloc(bytes / block + 1, sizeof(*l->length));
	if (packer_init(&l->packer) || unpacker_init(&l->unpacker) ||
	    !l->packed || !l->length)
		fail("no memory");
}

static void load_exit(struct load *l)
{
	packer_exit(&l->packer);
	unpacker_exit(&l->unpacker);
	free(l->packed);
	free(l->length);
}

static void report(const struct load *l, const struct measured *m,
		   json_t *results)
{
	double pack = l->bytes * 1e3 / m[0].median_ns;
	double unpack = l->bytes * 1e3 / m[1].median_ns;
	double ratio = (double)l->total / l->bytes;

	printf("%-4s %u  %4zu KiB: packs %6.0f MB/s, unpacks %6.0f MB/s, to %.3f\n",
	       wire_codec_name(l->plan.codec), l->plan.level, l->block >> 10,
	       pack, unpack, ratio);
	json_array_append_new(results, json_pack(
		"{s:s, s:i, s:I, s:f, s:f, s:f}",
		"codec", wire_codec_name(l->plan.codec),
		"level", l->plan.level, "block-bytes", (json_int_t)l->block,
		"pack-mb-s", pack, "unpack-mb-s", unpack, "ratio", ratio));
}

/* All plans by turns. */
static void bench_block(size_t block, const uint8_t *data, size_t bytes,
			json_t *results)
{
	struct measured m[PLANS * 2];
	struct load l[PLANS];
	size_t i;

	for (i = 0; i < PLANS; i++) {
		load_init(&l[i], plans[i], block, data, bytes);
		m[2 * i] = (struct measured){ "pack", run_pack, &l[i] };
		m[2 * i + 1] = (struct measured){ "unpack", run_unpack, &l[i] };
		/* whoever begins, there is something to unpack */
		run_pack(&l[i]);
		l[i].check = true;
		run_unpack(&l[i]);
		l[i].check = false;
	}
	if (measure(m, PLANS * 2, ROUNDS))
		fail("no memory");
	for (i = 0; i < PLANS; i++) {
		report(&l[i], &m[2 * i], results);
		load_exit(&l[i]);
	}
}

/* The file's pages that aren't zero. */
static size_t load_file(const char *path, uint8_t *data)
{
	FILE *f = fopen(path, "rb");
	size_t bytes = 0;

	if (!f)
		fail("can't open the file");
	while (bytes < DATA_MAX && fread(data + bytes, PAGE, 1, f) == 1)
		if (!page_is_zero(data + bytes))
			bytes += PAGE;
	fclose(f);
	return bytes;
}

int main(int argc, char **argv)
{
	json_t *results = json_array();
	uint8_t *data = aligned_alloc(PAGE, DATA_MAX);
	size_t bytes, i;

	if (argc < 2) {
		fprintf(stderr, "usage: pack_bench FILE [RESULT.json]\n");
		return 2;
	}
	if (!data)
		fail("no memory");
	bytes = load_file(argv[1], data);
	if (bytes < blocks[BLOCKS - 1])
		fail("the file has too little that isn't zero");
	for (i = 0; i < BLOCKS; i++)
		bench_block(blocks[i], data, bytes, results);
	if (argc > 2 && json_dump_file(results, argv[2], JSON_INDENT(2)))
		fail("can't write the result");
	json_decref(results);
	free(data);
	return 0;
}
