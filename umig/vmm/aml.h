/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A little ACPI Machine Language, written into a buffer: what a DSDT needs to
 * name devices, their ids and their resources.
 *
 *	aml_device(b, "COM1", &mark);
 *	aml_name_eisaid(b, "_HID", "PNP0501");
 *	...
 *	aml_end(b, mark);
 *
 * Names have four characters.  Packages and scopes are closed innermost first.
 */
#ifndef UMIG_VMM_AML_H
#define UMIG_VMM_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

/* Each opens something that aml_end() closes. */
size_t aml_scope(struct buf *b, const char *path);
size_t aml_device(struct buf *b, const char *name);
void aml_end(struct buf *b, size_t mark);

void aml_name_integer(struct buf *b, const char *name, uint32_t value);
void aml_name_string(struct buf *b, const char *name, const char *value);
/** aml_name_eisaid() - @id such as "PNP0501". */
void aml_name_eisaid(struct buf *b, const char *name, const char *id);
/** aml_name_package() - A package of @nr (at most 8) small integers. */
void aml_name_package(struct buf *b, const char *name, const uint8_t *values,
		      uint8_t nr);

/** struct aml_resources - What a device occupies; 0 lengths and gsi: none. */
struct aml_resources {
	uint32_t mmio_base;
	uint32_t mmio_bytes;
	uint16_t port_base;
	uint8_t ports;
	uint32_t gsi;
	bool edge;
};

/** aml_crs() - The device's _CRS. */
void aml_crs(struct buf *b, const struct aml_resources *r);

#endif
