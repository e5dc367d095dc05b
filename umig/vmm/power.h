/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The switch: ACPI's sleep and reset registers (hardware-reduced form).
 *
 *	port + 0	sleep control: bit 5 SLP_EN, bits 2-4 SLP_TYP
 *	port + 1	sleep status: bit 7 WAK, write 1 to clear
 *	port + 2	reset: POWER_RESET_VALUE
 */
#ifndef UMIG_VMM_POWER_H
#define UMIG_VMM_POWER_H

#include "vmm/device.h"

#define POWER_SLEEP_CONTROL 0
#define POWER_SLEEP_STATUS 1
#define POWER_RESET 2
#define POWER_PORTS 3

#define POWER_S5_TYPE 5
#define POWER_SLP_EN 0x20
#define POWER_RESET_VALUE 0x06

/* What turns the VM off when it is written to the sleep control register. */
#define POWER_OFF_VALUE (POWER_SLP_EN | POWER_S5_TYPE << 2)

int power_create(struct device **out, struct device_host *host, uint16_t port);

#endif
