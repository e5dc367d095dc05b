/* SPDX-License-Identifier: GPL-2.0 */
/* A PC's real-time clock. */
#ifndef UMIG_VMM_RTC_H
#define UMIG_VMM_RTC_H

#include "vmm/device.h"

#define RTC_PORTS_AT 0x70

/** rtc_create() - It shows the host's time, as UTC; it has no alarms. */
int rtc_create(struct device **out, struct device_host *host);

#endif
