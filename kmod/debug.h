/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Switches that break the module on purpose, in debug builds only (make module
 * UMIG_DEBUG=1).  A test that looks for wrong digests proves something only if
 * it finds them when the guards are off; a kernel that isn't known can be
 * tried only by pretending.
 */
#ifndef UMIG_DEBUG_H
#define UMIG_DEBUG_H

#include <linux/bits.h>
#include <linux/types.h>

/* KSM dropped a node: keep the entry. */
#define UMIG_BREAK_REMOVE	BIT(0)
/* KSM made a new node at the address of an old entry: keep the old digest. */
#define UMIG_BREAK_INSERT	BIT(1)
/* RANGE: don't compare the entry's pfn with that of the page found. */
#define UMIG_BREAK_PFN		BIT(2)
/* Read a stable node as if its layout were another one. */
#define UMIG_BREAK_LAYOUT	BIT(3)
/* Try to hook a function that doesn't exist. */
#define UMIG_BREAK_SYMBOL	BIT(4)
/* Read a stable node's sharers as if their layout were another one. */
#define UMIG_BREAK_SHARER	BIT(5)
/* KSM's merging function is not to be found. */
#define UMIG_BREAK_MERGE	BIT(6)
/* Take the kernel for one that hasn't been checked. */
#define UMIG_BREAK_VERSION	BIT(7)

#ifdef UMIG_DEBUG
extern unsigned int umig_debug_break;

static inline bool umig_broken(unsigned int what)
{
	return umig_debug_break & what;
}
#else
static inline bool umig_broken(unsigned int what)
{
	return false;
}
#endif

#endif
