/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Is this host's dirty ring sound?  Asked once, before a VM is made, because
 * ring or bitmap can't be changed later.
 */
#ifndef UMIG_MEM_DIRTY_PROBE_H
#define UMIG_MEM_DIRTY_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

/**
 * struct dirty_probe - What the probe saw.
 * @pages: pages that its guest wrote.
 * @missed: of these, never reported by the ring.
 * @ring_full: exits for a full ring.
 * @overflows: times that the ring was found to have lost entries.
 * @ns: how long it took.
 */
struct dirty_probe {
	uint64_t pages;
	uint64_t missed;
	uint64_t ring_full;
	uint64_t overflows;
	uint64_t ns;
};

/**
 * dirty_probe_run() - Have a throwaway VM write pages as fast as a guest can
 * (four instructions a page), through a ring, and count what is reported.
 *
 * Return: 0 with @out filled in, whatever it says; -EOPNOTSUPP: no ring at
 * all; else -errno: the probe itself failed.
 */
int dirty_probe_run(int kvm_fd, struct dirty_probe *out, struct err *err);

/** dirty_probe_sound() - Whether nothing was lost. */
static inline bool dirty_probe_sound(const struct dirty_probe *p)
{
	return !p->missed && !p->overflows;
}

#endif
