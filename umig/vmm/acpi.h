/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ACPI tables that tell a guest what it has: processors, the IOAPIC, how
 * to switch off, and the devices of the bus that it can't find otherwise.
 */
#ifndef UMIG_VMM_ACPI_H
#define UMIG_VMM_ACPI_H

#include <stdint.h>

#include "lib/err.h"
#include "vmm/device.h"
#include "vmm/guest_mem.h"

#define ACPI_TABLES_AT 0xe0000ULL
#define ACPI_TABLES_END 0xf0000ULL

/**
 * struct acpi_machine - What the tables describe.
 * @bus: its devices; serial ports and virtio-mmio are described.
 * @cpus: local APICs 0 .. @cpus - 1.
 * @power_port: where power.h's registers are.
 */
struct acpi_machine {
	const struct bus *bus;
	unsigned int cpus;
	uint16_t power_port;
};

/**
 * acpi_write() - Write all tables into guest memory.
 * @rsdp: out: the address that the kernel is told.
 */
int acpi_write(const struct acpi_machine *m, const struct guest_mem *mem,
	       uint64_t *rsdp, struct err *err);

#endif
