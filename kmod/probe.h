/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Taking kprobes off, also where the kernel can't.
 */
#ifndef UMIG_PROBE_H
#define UMIG_PROBE_H

#include <linux/types.h>

struct kprobe;

bool umig_probes_unregister(struct kprobe **probes, int nr);

#endif
