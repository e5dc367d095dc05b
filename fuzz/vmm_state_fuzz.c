// SPDX-License-Identifier: GPL-2.0
/*
 * What a peer can send as machine state, a CPUID table, or a user as a kernel:
 * the parsers of the micro-VMM that need no VM.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/bzimage.h"
#include "vmm/cpuid.h"
#include "vmm/state_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void fuzz_state(const uint8_t *data, size_t bytes)
{
	static struct state_index index;
	struct err err = { 0 };
	unsigned int i;

	if (state_parse(data, bytes, &index, &err))
		return;
	for (i = 0; i < index.nr; i++) {
		const struct state_section *s = &index.section[i];

		if (s->offset + s->bytes > bytes || s->data != data + s->offset)
			abort();
	}
	state_take(&index, "cpu0", 1, &err);
	state_all_used(&index, &err);
}

static void fuzz_cpuid(const uint8_t *data, size_t bytes)
{
	struct cpuid_table source, here;
	struct err err = { 0 };

	if (cpuid_parse(data, bytes, &source))
		return;
	here = source;
	cpuid_limit(&here, 4);
	cpuid_compatible(&source, &here, &err);
	cpuid_for_vcpu(&source, 3, &here);
}

static void fuzz_bzimage(const uint8_t *data, size_t bytes)
{
	struct err err = { 0 };
	struct bzimage image;
	volatile uint8_t last;
	uint64_t at;

	if (bzimage_parse("kernel", data, bytes, &image, &err))
		return;
	last = image.code[image.code_bytes - 1];
	(void)last;
	at = bzimage_load_address(&image, 1ULL << 30);
	if (at && at + image.init_bytes > 1ULL << 30)
		abort();
}

/* The first byte chooses the parser. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	if (!bytes)
		return 0;
	switch (data[0] % 3) {
	case 0:
		fuzz_state(data + 1, bytes - 1);
		break;
	case 1:
		fuzz_cpuid(data + 1, bytes - 1);
		break;
	default:
		fuzz_bzimage(data + 1, bytes - 1);
	}
	return 0;
}
