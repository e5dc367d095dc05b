// SPDX-License-Identifier: GPL-2.0
/*
 * A little ACPI Machine Language: see aml.h.  ACPI 6.4, chapter 20 (AML) and
 * chapter 6.4 (resource descriptors).
 */
#include "vmm/aml.h"

#include <string.h>

#define OP_NAME 0x08
#define OP_BYTE 0x0a
#define OP_DWORD 0x0c
#define OP_STRING 0x0d
#define OP_SCOPE 0x10
#define OP_BUFFER 0x11
#define OP_PACKAGE 0x12
#define OP_EXT 0x5b
#define OP_EXT_DEVICE 0x82

#define RES_IO 0x47
#define RES_MEMORY32_FIXED 0x86
#define RES_IRQ_EXTENDED 0x89
#define RES_END 0x79

/* Of the extended interrupt descriptor: we consume it, active high. */
#define IRQ_CONSUMER 0x01
#define IRQ_EDGE 0x02

/* PkgLength is always written in its four-byte form, so that it has a place. */
#define PKG_LENGTH_BYTES 4

static size_t package_begin(struct buf *b)
{
	size_t mark = b->len;

	buf_reserve(b, PKG_LENGTH_BYTES);
	return mark;
}

/* 28 bits: four in the first byte, eight in each other; counts itself. */
void aml_end(struct buf *b, size_t mark)
{
	uint32_t bytes = b->len - mark;

	if (b->error)
		return;
	b->data[mark] = 3 << 6 | (bytes & 0xf);
	b->data[mark + 1] = bytes >> 4;
	b->data[mark + 2] = bytes >> 12;
	b->data[mark + 3] = bytes >> 20;
}

/* A segment of four; a leading backslash stays outside of it. */
static void put_name(struct buf *b, const char *name)
{
	if (*name == '\\') {
		buf_put(b, name, 1);
		name++;
	}
	buf_put(b, name, 4);
}

size_t aml_scope(struct buf *b, const char *path)
{
	size_t mark;

	buf_put_u8(b, OP_SCOPE);
	mark = package_begin(b);
	put_name(b, path);
	return mark;
}

size_t aml_device(struct buf *b, const char *name)
{
	size_t mark;

	buf_put_u8(b, OP_EXT);
	buf_put_u8(b, OP_EXT_DEVICE);
	mark = package_begin(b);
	put_name(b, name);
	return mark;
}

static void put_integer(struct buf *b, uint32_t value)
{
	if (value <= 0xff) {
		buf_put_u8(b, OP_BYTE);
		buf_put_u8(b, value);
	} else {
		buf_put_u8(b, OP_DWORD);
		buf_put_u32(b, value);
	}
}

static void begin_name(struct buf *b, const char *name)
{
	buf_put_u8(b, OP_NAME);
	put_name(b, name);
}

void aml_name_integer(struct buf *b, const char *name, uint32_t value)
{
	begin_name(b, name);
	put_integer(b, value);
}

void aml_name_string(struct buf *b, const char *name, const char *value)
{
	begin_name(b, name);
	buf_put_u8(b, OP_STRING);
	buf_put(b, value, strlen(value) + 1);
}

static uint32_t hex(char c)
{
	return c <= '9' ? c - '0' : c - 'A' + 10;
}

/* Three letters of five bits and four hex digits, as a big-endian number. */
void aml_name_eisaid(struct buf *b, const char *name, const char *id)
{
	uint32_t v = (uint32_t)(id[0] - '@') << 26 | (id[1] - '@') << 21 |
		     (id[2] - '@') << 16 | hex(id[3]) << 12 | hex(id[4]) << 8 |
		     hex(id[5]) << 4 | hex(id[6]);

	begin_name(b, name);
	buf_put_u8(b, OP_DWORD);
	buf_put_u32(b, __builtin_bswap32(v));
}

void aml_name_package(struct buf *b, const char *name, const uint8_t *values,
		      uint8_t nr)
{
	size_t mark;
	uint8_t i;

	begin_name(b, name);
	buf_put_u8(b, OP_PACKAGE);
	mark = package_begin(b);
	buf_put_u8(b, nr);
	for (i = 0; i < nr; i++)
		put_integer(b, values[i]);
	aml_end(b, mark);
}

static void put_resources(struct buf *b, const struct aml_resources *r)
{
	if (r->mmio_bytes) {
		buf_put_u8(b, RES_MEMORY32_FIXED);
		buf_put_u16(b, 9);
		buf_put_u8(b, 1);			/* writable */
		buf_put_u32(b, r->mmio_base);
		buf_put_u32(b, r->mmio_bytes);
	}
	if (r->ports) {
		buf_put_u8(b, RES_IO);
		buf_put_u8(b, 1);			/* decodes 16 bits */
		buf_put_u16(b, r->port_base);		/* from */
		buf_put_u16(b, r->port_base);		/* to */
		buf_put_u8(b, 1);			/* alignment */
		buf_put_u8(b, r->ports);
	}
	if (r->gsi) {
		buf_put_u8(b, RES_IRQ_EXTENDED);
		buf_put_u16(b, 6);
		buf_put_u8(b, IRQ_CONSUMER | (r->edge ? IRQ_EDGE : 0));
		buf_put_u8(b, 1);			/* how many */
		buf_put_u32(b, r->gsi);
	}
	buf_put_u8(b, RES_END);
	buf_put_u8(b, 0);				/* checksum: not used */
}

void aml_crs(struct buf *b, const struct aml_resources *r)
{
	struct buf res = { 0 };
	size_t mark;

	put_resources(&res, r);
	if (res.error)
		b->error = res.error;
	begin_name(b, "_CRS");
	buf_put_u8(b, OP_BUFFER);
	mark = package_begin(b);
	put_integer(b, res.len);
	buf_put(b, res.data, res.len);
	aml_end(b, mark);
	buf_free(&res);
}
