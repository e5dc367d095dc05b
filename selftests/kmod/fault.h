/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocations that fail on purpose, where the kernel can do that
 * (CONFIG_FAULT_INJECTION): in the calling thread the n-th one.
 */
#ifndef UMIG_SELFTESTS_KMOD_FAULT_H
#define UMIG_SELFTESTS_KMOD_FAULT_H

#include <stdbool.h>

/**
 * struct fault_op - What has to live with each of its allocations failing.
 * @first: the first that shall fail; 0: the very first.
 * @prepare: before each try; may be NULL.
 * @run: the try: 0 or -errno.
 * @check: what must hold after it.  @fired: an allocation has failed.
 */
struct fault_op {
	unsigned int first;
	void (*prepare)(void);
	int (*run)(void);
	void (*check)(int err, bool fired);
};

/**
 * fault_begin() - Switch fault injection on, and the console off.
 *
 * The kernel tells of memory that it doesn't get, with a trace like those of
 * its bugs; fault_end() looks for the latter.
 *
 * Return: false, and the case is skipped: this kernel can't.
 */
bool fault_begin(void);

/** fault_end() - All off; fails the case if the kernel has complained. */
void fault_end(void);

/**
 * fault_sweep() - Run an operation until none of its allocations is left that
 * hasn't failed once.
 *
 * Return: how many failed, one in each run.
 */
unsigned int fault_sweep(const struct fault_op *op);

/* The same with each try, its @prepare and @check in a process of its own. */
unsigned int fault_sweep_forked(const struct fault_op *op);

/* How many allocations @run makes, or tries to, in this thread. */
unsigned int fault_count(int (*run)(void));

#endif
