// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel images: the good one and every way to be a bad one, by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "vmm/bzimage.h"

#define SETUP_SECTS 3
#define CODE_BYTES 4096
#define IMAGE_BYTES ((SETUP_SECTS + 1) * 512 + CODE_BYTES)
#define MIB (1ULL << 20)

static struct setup_header *header(uint8_t *image)
{
	return (struct setup_header *)(image + 0x1f1);
}

static uint8_t *good_image(void)
{
	uint8_t *image = calloc(1, IMAGE_BYTES);
	struct setup_header *h;

	assert_non_null(image);
	h = header(image);
	h->setup_sects = SETUP_SECTS;
	h->boot_flag = 0xaa55;
	image[0x201] = 0x6a;
	h->header = 0x53726448;
	h->version = 0x020f;
	h->loadflags = LOADED_HIGH;
	h->xloadflags = XLF_KERNEL_64;
	h->syssize = CODE_BYTES / 16;
	h->initrd_addr_max = 0x7fffffff;
	h->kernel_alignment = 2 * MIB;
	h->relocatable_kernel = 1;
	h->pref_address = 16 * MIB;
	h->init_size = 40 * MIB;
	return image;
}

static void good_image_is_taken(void **state)
{
	uint8_t *image = good_image();
	struct bzimage b;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(bzimage_parse("k", image, IMAGE_BYTES, &b, &err), 0);
	assert_ptr_equal(b.code, image + (SETUP_SECTS + 1) * 512);
	assert_int_equal(b.code_bytes, CODE_BYTES);
	assert_int_equal(b.init_bytes, 40 * MIB);
	assert_int_equal(b.initrd_end_max, 0x80000000);
	free(image);
}

static void load_address_depends_on_memory(void **state)
{
	uint8_t *image = good_image();
	struct bzimage b;

	(void)state;
	assert_int_equal(bzimage_parse("k", image, IMAGE_BYTES, &b, NULL), 0);
	assert_int_equal(bzimage_load_address(&b, 56 * MIB), 16 * MIB);
	assert_int_equal(bzimage_load_address(&b, 55 * MIB), 2 * MIB);
	assert_int_equal(bzimage_load_address(&b, 41 * MIB), 0);
	b.header.relocatable_kernel = 0;
	assert_int_equal(bzimage_load_address(&b, 55 * MIB), 0);
	b.header.relocatable_kernel = 1;
	b.header.kernel_alignment = 3;
	assert_int_equal(bzimage_load_address(&b, 55 * MIB), 0);
	b.header.pref_address = UINT64_MAX;
	b.header.kernel_alignment = 0x80000000;
	assert_int_equal(bzimage_load_address(&b, 55 * MIB), 0);
	free(image);
}

/* One change to a good image, and what must be said about it. */
struct bad {
	const char *says;
	void (*spoil)(uint8_t *image);
	size_t bytes;
};

static void spoil_elf(uint8_t *image)
{
	header(image)->header = 0;
	memcpy(image, "\177ELF", 4);
}

static void spoil_magic(uint8_t *image)
{
	header(image)->header ^= 1;
}

static void spoil_boot_flag(uint8_t *image)
{
	header(image)->boot_flag = 0;
}

static void spoil_version(uint8_t *image)
{
	header(image)->version = 0x020a;
}

static void spoil_64bit(uint8_t *image)
{
	header(image)->xloadflags = 0;
}

static void spoil_high(uint8_t *image)
{
	header(image)->loadflags = 0;
}

static void spoil_size(uint8_t *image)
{
	header(image)->syssize = UINT32_MAX;
}

static void spoil_empty(uint8_t *image)
{
	header(image)->syssize = 0;
}

static void spoil_header_end(uint8_t *image)
{
	image[0x201] = 0;
}

static void spoil_nothing(uint8_t *image)
{
	(void)image;
}

static void bad_images_are_named(void **state)
{
	static const struct bad bad[] = {
		{ "ELF file", spoil_elf, IMAGE_BYTES },
		{ "not a Linux kernel", spoil_magic, IMAGE_BYTES },
		{ "not a Linux kernel", spoil_boot_flag, IMAGE_BYTES },
		{ "not a Linux kernel", spoil_nothing, 0 },
		{ "not a Linux kernel", spoil_nothing, 0x267 },
		{ "not a Linux kernel", spoil_header_end, IMAGE_BYTES },
		{ "2.10 is too old", spoil_version, IMAGE_BYTES },
		{ "no 64-bit entry", spoil_64bit, IMAGE_BYTES },
		{ "zImage", spoil_high, IMAGE_BYTES },
		{ "truncated", spoil_size, IMAGE_BYTES },
		{ "truncated", spoil_empty, IMAGE_BYTES },
		{ "truncated", spoil_nothing, IMAGE_BYTES - 1 },
		{ "truncated", spoil_nothing, 0x268 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		/* Exactly as long as claimed, for the sanitizers to see. */
		uint8_t *image = good_image(), *cut;
		struct err err = { 0 };
		struct bzimage b;

		bad[i].spoil(image);
		cut = malloc(bad[i].bytes ? bad[i].bytes : 1);
		assert_non_null(cut);
		memcpy(cut, image, bad[i].bytes);
		assert_int_equal(bzimage_parse("vmlinuz-x", cut, bad[i].bytes,
					       &b, &err), -ENOEXEC);
		if (!strstr(err.text, bad[i].says) ||
		    !strstr(err.text, "vmlinuz-x"))
			fail_msg("%zu: \"%s\" lacks \"%s\"", i, err.text,
				 bad[i].says);
		free(cut);
		free(image);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_image_is_taken),
		cmocka_unit_test(load_address_depends_on_memory),
		cmocka_unit_test(bad_images_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
