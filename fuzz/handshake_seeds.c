// SPDX-License-Identifier: GPL-2.0
/*
 * Seeds for handshake_fuzz: an honest word of each kind, and honest talks with
 * one byte of each field changed.  Writes them to the directory given.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transport/handshake.h"
#include "wire/frame.h"

static int nr;

static void write_seed(const char *dir, const void *data, size_t bytes)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/seed-%d", dir, nr++);
	f = fopen(path, "w");
	if (!f || fwrite(data, bytes, 1, f) != 1 || fclose(f))
		exit(EXIT_FAILURE);
}

static void write_preface(const char *dir, uint8_t how, uint8_t mode,
			  uint8_t status, uint16_t length)
{
	struct preface p = {
		.version = WIRE_VERSION, .version_min = WIRE_VERSION_MIN,
		.mode = mode, .status = status, .length = length,
	};
	uint8_t seed[1 + WIRE_PREFACE_BYTES + WIRE_REFUSAL_MAX];

	memset(seed, 'x', sizeof(seed));
	seed[0] = how;
	preface_encode(seed + 1, &p);
	write_seed(dir, seed, 1 + WIRE_PREFACE_BYTES + length);
}

int main(int argc, char **argv)
{
	const uint16_t msg1 = WIRE_ABILITIES_BYTES + NOISE_MSG1_OVERHEAD;
	const uint16_t msg2 = WIRE_ABILITIES_BYTES + NOISE_MSG2_OVERHEAD;
	uint8_t talk[3] = { 0, 0, 1 };
	int at;

	if (argc != 2)
		return EXIT_FAILURE;
	write_preface(argv[1], 1, WIRE_MODE_SEALED, WIRE_STATUS_OK, msg1);
	write_preface(argv[1], 1, WIRE_MODE_PLAIN, WIRE_STATUS_OK, 0);
	write_preface(argv[1], 5, WIRE_MODE_PLAIN, WIRE_STATUS_OK, 0);
	write_preface(argv[1], 5, WIRE_MODE_SEALED, WIRE_STATUS_OK, msg1);
	write_preface(argv[1], 0, WIRE_MODE_SEALED, WIRE_STATUS_OK, msg2);
	write_preface(argv[1], 0, WIRE_MODE_SEALED, WIRE_STATUS_REFUSED, 40);
	write_preface(argv[1], 4, WIRE_MODE_PLAIN, WIRE_STATUS_OK, 0);
	for (talk[0] = 2; talk[0] < 8; talk[0]++)
		for (at = 0; talk[0] & 2 && at < 200; at += 4) {
			talk[1] = at;
			write_seed(argv[1], talk, sizeof(talk));
		}
	return EXIT_SUCCESS;
}
