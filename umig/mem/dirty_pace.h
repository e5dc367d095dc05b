/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Holding vCPUs to a rate of dirtied pages: which of them have to stand still,
 * and for how long.  Pure: told what each vCPU's ring has taken, it answers
 * with times; vmm/throttle.c measures and holds.
 *
 *	all may dirty N pages a second
 *	  -> each at most its fair share: who dirties less leaves the rest to
 *	     those that dirty more
 *	  -> what a vCPU dirties beyond that it stands still for, but it runs
 *	     for a given part of the time, and is never held for long at once
 */
#ifndef UMIG_MEM_DIRTY_PACE_H
#define UMIG_MEM_DIRTY_PACE_H

#include <stdint.h>

#include "mem/dirty.h"

/* No longer at a time: waking takes a little on top, and 100 ms is promised. */
#define PACE_HOLD_MAX_NS 60000000ULL

/**
 * struct pace_vcpu - One vCPU.
 * @rate_ps: pages it dirties a second while held as it is.
 * @credit: pages that it may dirty without being held; < 0: it owes.
 * @free_ns: it runs since then.
 */
struct pace_vcpu {
	double rate_ps;
	double credit;
	uint64_t free_ns;
};

/**
 * struct pace - All of a VM.
 * @nr: vCPUs.
 * @pages_s: they may dirty so many pages a second together.
 * @floor: percent of the time that each runs at least.
 * @at_ns: the last pace_tick().
 */
struct pace {
	unsigned int nr;
	uint64_t pages_s;
	unsigned int floor;
	uint64_t at_ns;
	struct pace_vcpu vcpu[DIRTY_VCPUS_MAX];
};

void pace_init(struct pace *p, unsigned int nr, uint64_t now_ns);

/**
 * pace_share() - The most that one vCPU may dirty a second so that all together
 * stay within &pace.pages_s.
 */
double pace_share(const struct pace *p);

/**
 * pace_tick() - Who has to stand still from now on.
 * @pages: what each vCPU has dirtied since the last tick.
 * @hold_ns: written: for how long; 0: not at all.
 */
void pace_tick(struct pace *p, uint64_t now_ns, const uint64_t *pages,
	       uint64_t *hold_ns);

#endif
