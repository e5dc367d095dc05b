/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How many workers: one more is tried, and kept if all of them together get
 * more done by a tenth.  Pure: told the time and what was done.
 */
#ifndef UMIG_MIGRATE_CLIMB_H
#define UMIG_MIGRATE_CLIMB_H

#include <stdbool.h>
#include <stdint.h>

/* So long they are watched, and so many times before more are tried again. */
#define CLIMB_WINDOW_NS 50000000ULL
#define CLIMB_REST 40

/**
 * struct climb - Its state.
 * @most: there can't be more workers.
 * @active: that there should be now.
 * @since_ns: the window's begin,
 * @done: and what had been done by then.
 * @rate: without the one that is being tried.
 * @trying: one is.
 * @rest: windows until one is tried.
 */
struct climb {
	unsigned int most;
	unsigned int active;
	uint64_t since_ns;
	uint64_t done;
	double rate;
	bool trying;
	unsigned int rest;
};

/** climb_init() - Begin with none but the caller. */
void climb_init(struct climb *c, unsigned int most);

/** climb_step() - @done in all, at @now_ns: how many workers there should be. */
unsigned int climb_step(struct climb *c, uint64_t done, uint64_t now_ns);

#endif
