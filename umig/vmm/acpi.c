// SPDX-License-Identifier: GPL-2.0
/*
 * ACPI tables: see acpi.h.  The hardware-reduced form (ACPI 6.4, 4.1) needs no
 * PM timer, no SCI, no legacy PICs: two registers and the tables do.
 *
 *	RSDP -> XSDT -> FADT -> DSDT
 *	             -> MADT
 */
#include "vmm/acpi.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/aml.h"
#include "vmm/power.h"

#define OEM_ID "UMIG  "
#define OEM_TABLE_ID "UMIGVM  "
#define CREATOR_ID "UMIG"
#define OEM_REVISION 1

#define RSDP_BYTES 36
#define HEADER_BYTES 36
#define HEADER_LENGTH_AT 4
#define HEADER_CHECKSUM_AT 9
#define RSDP_CHECKSUM_AT 8
#define RSDP_CHECKSUM_BYTES 20
#define RSDP_EXT_CHECKSUM_AT 32

#define LAPIC_BASE 0xfee00000
#define IOAPIC_BASE 0xfec00000
#define LAPIC_ENABLED 1
#define MADT_LAPIC 0
#define MADT_IOAPIC 1
#define MADT_OVERRIDE 2
#define MADT_NMI 4

/* FADT: no VGA, no MSI (there is no PCI), no PS/2. */
#define BOOT_ARCH (1 << 2 | 1 << 3)
/*
 * FADT: WBINVD and HLT work, no fixed power or sleep button, a reset register,
 * hardware-reduced.
 */
#define FADT_FLAGS (1U << 0 | 1U << 2 | 1U << 4 | 1U << 5 | 1U << 10 | 1U << 20)

#define GAS_IO 1
#define GAS_BYTE 1

static void put_sum(struct buf *b, size_t from, size_t bytes, size_t at)
{
	uint8_t sum = 0;
	size_t i;

	if (b->error)
		return;
	for (i = 0; i < bytes; i++)
		sum += b->data[from + i];
	b->data[at] -= sum;
}

static void align(struct buf *b)
{
	static const uint8_t zero[16];

	buf_put(b, zero, -b->len % 16);
}

static size_t table_begin(struct buf *b, const char *signature,
			  uint8_t revision)
{
	size_t mark;

	align(b);
	mark = b->len;
	buf_put(b, signature, 4);
	buf_put_u32(b, 0);			/* length */
	buf_put_u8(b, revision);
	buf_put_u8(b, 0);			/* checksum */
	buf_put(b, OEM_ID, 6);
	buf_put(b, OEM_TABLE_ID, 8);
	buf_put_u32(b, OEM_REVISION);
	buf_put(b, CREATOR_ID, 4);
	buf_put_u32(b, OEM_REVISION);
	return mark;
}

/* Complete the table; returns its guest address. */
static uint64_t table_end(struct buf *b, size_t mark)
{
	uint32_t bytes = b->len - mark;

	if (!b->error)
		memcpy(b->data + mark + HEADER_LENGTH_AT, &bytes,
		       sizeof(bytes));
	put_sum(b, mark, bytes, mark + HEADER_CHECKSUM_AT);
	return ACPI_TABLES_AT + mark;
}

static void describe_serial(struct buf *b, const struct device *d)
{
	const struct aml_resources r = {
		.port_base = d->base,
		.ports = d->bytes,
		.gsi = d->gsi,
		.edge = true,
	};
	size_t mark = aml_device(b, "COM1");

	aml_name_eisaid(b, "_HID", "PNP0501");
	aml_name_integer(b, "_UID", 1);
	aml_crs(b, &r);
	aml_end(b, mark);
}

/* Without its interrupt: it has no alarms. */
static void describe_rtc(struct buf *b, const struct device *d)
{
	const struct aml_resources r = {
		.port_base = d->base,
		.ports = d->bytes,
	};
	size_t mark = aml_device(b, "RTC0");

	aml_name_eisaid(b, "_HID", "PNP0B00");
	aml_crs(b, &r);
	aml_end(b, mark);
}

static void describe_virtio(struct buf *b, const struct device *d,
			    unsigned int nr)
{
	const struct aml_resources r = {
		.mmio_base = d->base,
		.mmio_bytes = d->bytes,
		.gsi = d->gsi,
	};
	char name[8];
	size_t mark;

	snprintf(name, sizeof(name), "VR%02X", nr & 0xff);
	mark = aml_device(b, name);
	aml_name_string(b, "_HID", "LNRO0005");
	aml_name_integer(b, "_UID", nr);
	aml_crs(b, &r);
	aml_end(b, mark);
}

static uint64_t put_dsdt(struct buf *b, const struct acpi_machine *m)
{
	static const uint8_t s5[] = { POWER_S5_TYPE, 0, 0, 0 };
	size_t table = table_begin(b, "DSDT", 2), scope;
	unsigned int i, nr = 0;

	aml_name_package(b, "\\_S5_", s5, sizeof(s5));
	scope = aml_scope(b, "\\_SB_");
	for (i = 0; i < m->bus->nr; i++) {
		const struct device *d = m->bus->device[i];

		if (d->space == DEVICE_MMIO)
			describe_virtio(b, d, nr++);
		else if (!strncmp(d->name, "serial", 6))
			describe_serial(b, d);
		else if (!strcmp(d->name, "rtc"))
			describe_rtc(b, d);
	}
	aml_end(b, scope);
	return table_end(b, table);
}

static void put_register(struct buf *b, uint16_t port)
{
	buf_put_u8(b, GAS_IO);
	buf_put_u8(b, 8);			/* bits */
	buf_put_u8(b, 0);			/* from bit */
	buf_put_u8(b, GAS_BYTE);
	buf_put_u64(b, port);
}

static void put_zeroes(struct buf *b, size_t bytes)
{
	void *at = buf_reserve(b, bytes);

	if (at)
		memset(at, 0, bytes);
}

static uint64_t put_fadt(struct buf *b, const struct acpi_machine *m,
			 uint64_t dsdt)
{
	size_t table = table_begin(b, "FACP", 6);

	put_zeroes(b, 109 - HEADER_BYTES);	/* 32-bit and legacy fields */
	buf_put_u16(b, BOOT_ARCH);
	put_zeroes(b, 1);
	buf_put_u32(b, FADT_FLAGS);
	put_register(b, m->power_port + POWER_RESET);
	buf_put_u8(b, POWER_RESET_VALUE);
	put_zeroes(b, 2);			/* Arm's */
	buf_put_u8(b, 4);			/* minor version: 6.4 */
	put_zeroes(b, 8);			/* FACS */
	buf_put_u64(b, dsdt);
	put_zeroes(b, 8 * 12);			/* fixed hardware: none */
	put_register(b, m->power_port + POWER_SLEEP_CONTROL);
	put_register(b, m->power_port + POWER_SLEEP_STATUS);
	buf_put(b, "umig\0\0\0", 8);		/* hypervisor vendor */
	return table_end(b, table);
}

/* ISA interrupt lines are the IOAPIC's of the same number. */
static uint64_t put_madt(struct buf *b, const struct acpi_machine *m)
{
	size_t table = table_begin(b, "APIC", 5);
	unsigned int i;

	buf_put_u32(b, LAPIC_BASE);
	buf_put_u32(b, 0);			/* no PICs */
	for (i = 0; i < m->cpus; i++) {
		buf_put_u8(b, MADT_LAPIC);
		buf_put_u8(b, 8);
		buf_put_u8(b, i);		/* processor */
		buf_put_u8(b, i);		/* APIC id */
		buf_put_u32(b, LAPIC_ENABLED);
	}
	buf_put_u8(b, MADT_IOAPIC);
	buf_put_u8(b, 12);
	buf_put_u8(b, 0);			/* id */
	buf_put_u8(b, 0);
	buf_put_u32(b, IOAPIC_BASE);
	buf_put_u32(b, 0);			/* its first line */
	buf_put_u8(b, MADT_OVERRIDE);
	buf_put_u8(b, 10);
	buf_put_u8(b, 0);			/* ISA */
	buf_put_u8(b, 0);			/* the PIT's line */
	buf_put_u32(b, 2);			/* is KVM's line 2 */
	buf_put_u16(b, 0);
	buf_put_u8(b, MADT_NMI);
	buf_put_u8(b, 6);
	buf_put_u8(b, 0xff);			/* all processors */
	buf_put_u16(b, 0);
	buf_put_u8(b, 1);			/* LINT1 */
	return table_end(b, table);
}

static uint64_t put_xsdt(struct buf *b, uint64_t fadt, uint64_t madt)
{
	size_t table = table_begin(b, "XSDT", 1);

	buf_put_u64(b, fadt);
	buf_put_u64(b, madt);
	return table_end(b, table);
}

/* It comes first, so that a guest that searches finds it; its place is kept. */
static void put_rsdp(struct buf *b, uint64_t xsdt)
{
	struct buf r = { 0 };

	buf_put(&r, "RSD PTR ", 8);
	buf_put_u8(&r, 0);			/* checksum */
	buf_put(&r, OEM_ID, 6);
	buf_put_u8(&r, 2);			/* revision */
	buf_put_u32(&r, 0);			/* no RSDT */
	buf_put_u32(&r, RSDP_BYTES);
	buf_put_u64(&r, xsdt);
	buf_put_u32(&r, 0);			/* checksum of all */
	put_sum(&r, 0, RSDP_CHECKSUM_BYTES, RSDP_CHECKSUM_AT);
	put_sum(&r, 0, RSDP_BYTES, RSDP_EXT_CHECKSUM_AT);
	if (r.error)
		b->error = r.error;
	if (!b->error)
		memcpy(b->data, r.data, RSDP_BYTES);
	buf_free(&r);
}

int acpi_write(const struct acpi_machine *m, const struct guest_mem *mem,
	       uint64_t *rsdp, struct err *err)
{
	uint64_t dsdt, fadt, madt;
	struct buf b = { 0 };
	int ret;

	put_zeroes(&b, RSDP_BYTES);
	dsdt = put_dsdt(&b, m);
	fadt = put_fadt(&b, m, dsdt);
	madt = put_madt(&b, m);
	put_rsdp(&b, put_xsdt(&b, fadt, madt));
	ret = b.error;
	if (!ret && b.len > ACPI_TABLES_END - ACPI_TABLES_AT)
		ret = -ENOSPC;
	if (!ret)
		ret = guest_write(mem, ACPI_TABLES_AT, b.data, b.len);
	buf_free(&b);
	*rsdp = ACPI_TABLES_AT;
	return ret ? err_set(err, ret, "the ACPI tables can't be written: %s",
			     strerror(-ret)) : 0;
}
