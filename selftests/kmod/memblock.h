/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory blocks: which can go offline, getting at their memory, letting them go.
 */
#ifndef UMIG_SELFTESTS_KMOD_MEMBLOCK_H
#define UMIG_SELFTESTS_KMOD_MEMBLOCK_H

#include <stdint.h>

#define MEMBLOCK_FILL (1200ul << 20)

/* The block in which the page at @addr is; the one at a physical address. */
unsigned long memblock_of(const void *addr);
unsigned long memblock_at(unsigned long long address);

/* "offline", "online_movable": 0 or -errno. */
int memblock_state(unsigned long block, const char *state);

/*
 * One that can go, -1: none.  It has been offline: many have holes or pages that
 * the kernel has reserved.
 */
long memblock_find(void);

/*
 * Use up MEMBLOCK_FILL bytes at most until what comes next is in the block:
 * memory that has just come online is used last.  NULL: it can't be got at.
 */
char *memblock_fill_up_to(unsigned long block);

/*
 * Offline, but not for ever: the kernel tries what it can't migrate again and
 * again until a signal comes.  0, -errno, -ETIMEDOUT; @ms: how long it took.
 */
int memblock_offline(unsigned long block, uint64_t *ms);

#endif
