// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel image: see bzimage.h.  Boot protocol: Documentation/arch/x86/boot.rst
 * in Linux.
 */
#include "vmm/bzimage.h"

#include <errno.h>
#include <string.h>

#define SECTOR 512
#define HEADER_AT 0x1f1
#define HEADER_END_AT 0x201		/* its value + 0x202 is the end */
#define HEADER_MIN 0x268		/* all of protocol 2.12 */
#define BOOT_FLAG 0xaa55
#define HDRS 0x53726448
#define PROTOCOL_MIN 0x020c
#define LOW_ADDRESS 0x100000

_Static_assert(offsetof(struct boot_params, hdr) == HEADER_AT, "boot protocol");

static int not_a_kernel(const char *path, const uint8_t *data, size_t bytes,
			struct err *err)
{
	if (bytes >= 4 && !memcmp(data, "\177ELF", 4))
		return err_set(err, -ENOEXEC,
			       "%s: this is an ELF file, not a bzImage: give the kernel as it lies in /boot (vmlinuz-*)",
			       path);
	return err_set(err, -ENOEXEC,
		       "%s: not a Linux kernel image (bzImage): give the kernel as it lies in /boot (vmlinuz-*)",
		       path);
}

/* As much of the header as the image has and we know. */
static void copy_header(const uint8_t *data, size_t bytes,
			struct setup_header *h)
{
	size_t end = 0x202 + data[HEADER_END_AT];

	if (end > bytes)
		end = bytes;
	if (end > HEADER_AT + sizeof(*h))
		end = HEADER_AT + sizeof(*h);
	memset(h, 0, sizeof(*h));
	memcpy(h, data + HEADER_AT, end - HEADER_AT);
}

static int check_header(const char *path, const struct setup_header *h,
			struct err *err)
{
	if (h->version < PROTOCOL_MIN)
		return err_set(err, -ENOEXEC,
			       "%s: boot protocol %u.%02u is too old: a kernel of Linux 3.8 or later is needed",
			       path, h->version >> 8, h->version & 0xff);
	if (!(h->xloadflags & XLF_KERNEL_64))
		return err_set(err, -ENOEXEC,
			       "%s: this kernel has no 64-bit entry point: give one for x86-64",
			       path);
	if (!(h->loadflags & LOADED_HIGH))
		return err_set(err, -ENOEXEC,
			       "%s: a zImage, not a bzImage", path);
	return 0;
}

int bzimage_parse(const char *path, const void *data, size_t bytes,
		  struct bzimage *out, struct err *err)
{
	struct setup_header *h = &out->header;
	size_t setup, code;
	int ret;

	if (bytes < HEADER_MIN)
		return not_a_kernel(path, data, bytes, err);
	copy_header(data, bytes, h);
	if (h->boot_flag != BOOT_FLAG || h->header != HDRS)
		return not_a_kernel(path, data, bytes, err);
	ret = check_header(path, h, err);
	if (ret)
		return ret;
	setup = ((h->setup_sects ? h->setup_sects : 4) + 1) * SECTOR;
	code = (size_t)h->syssize * 16;
	if (!code || setup + code > bytes)
		return err_set(err, -ENOEXEC,
			       "%s: truncated: it has %zu bytes, its header speaks of %zu",
			       path, bytes, setup + code);
	out->code = (const uint8_t *)data + setup;
	out->code_bytes = code;
	out->init_bytes = h->init_size > code ? h->init_size : code;
	out->initrd_end_max = (uint64_t)h->initrd_addr_max + 1;
	return 0;
}

static bool fits(const struct bzimage *image, uint64_t at, uint64_t ram_end)
{
	return at >= LOW_ADDRESS && at < ram_end &&
	       image->init_bytes <= ram_end - at;
}

uint64_t bzimage_load_address(const struct bzimage *image, uint64_t ram_end)
{
	const struct setup_header *h = &image->header;
	uint64_t align = h->kernel_alignment, at;

	if (fits(image, h->pref_address, ram_end))
		return h->pref_address;
	if (!h->relocatable_kernel || !align || align & (align - 1))
		return 0;
	at = (LOW_ADDRESS + align - 1) & ~(align - 1);
	return fits(image, at, ram_end) ? at : 0;
}
