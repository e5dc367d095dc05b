/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A PC's keyboard controller, reduced to the one command that still matters:
 * resetting the machine.
 */
#ifndef UMIG_VMM_I8042_H
#define UMIG_VMM_I8042_H

#include "vmm/device.h"

#define I8042_COMMAND_PORT 0x64
#define I8042_RESET 0xfe

int i8042_create(struct device **out, struct device_host *host);

#endif
