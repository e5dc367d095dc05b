/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The first serial port, a 16550A: the guest's console.
 */
#ifndef UMIG_VMM_SERIAL_H
#define UMIG_VMM_SERIAL_H

#include "lib/err.h"
#include "vmm/device.h"

#define SERIAL_PORT 0x3f8
#define SERIAL_GSI 4

/**
 * serial_create() - COM1 at its usual port and interrupt.
 * @spec: "stdio" or NULL: stdin and stdout; "none": output vanishes;
 *	"file:PATH": output is appended to a file, there is no input.
 *
 * If stdin is a terminal it is in raw mode while the guest runs; Ctrl-A x ends
 * the guest, Ctrl-A Ctrl-A sends one Ctrl-A.
 */
int serial_create(struct device **out, struct device_host *host,
		  const char *spec, struct err *err);

#endif
