/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A kernel image, as Linux's x86 boot protocol describes it: parsed, checked,
 * not yet loaded.  Pure functions over bytes.
 */
#ifndef UMIG_VMM_BZIMAGE_H
#define UMIG_VMM_BZIMAGE_H

#include <asm/bootparam.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/**
 * struct bzimage - What a loader has to know.
 * @header: the setup header, zero where the image has none of it.
 * @code, @code_bytes: the protected-mode kernel, borrowed.
 * @init_bytes: memory that the kernel needs from its load address on.
 * @initrd_end_max: an initrd must end at or below this.
 */
struct bzimage {
	struct setup_header header;
	const uint8_t *code;
	size_t code_bytes;
	uint64_t init_bytes;
	uint64_t initrd_end_max;
};

/**
 * bzimage_parse() - Check an image.
 * @path: for messages.
 *
 * Return: 0, or -ENOEXEC with what is wrong and the remedy in @err.
 */
int bzimage_parse(const char *path, const void *data, size_t bytes,
		  struct bzimage *out, struct err *err);

/**
 * bzimage_load_address() - Where to load it, with RAM up to @ram_end.
 *
 * Return: the address, 0: there is no room.
 */
uint64_t bzimage_load_address(const struct bzimage *image, uint64_t ram_end);

#endif
