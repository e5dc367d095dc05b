/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copies for mappings that SHARE has made and KSM doesn't know, where they would
 * stand in somebody's way.
 */
#ifndef UMIG_UNSHARE_H
#define UMIG_UNSHARE_H

struct umig_stretch;

/* A umig_adopt_fn, for all that is merged there; bool *again: not all is done. */
void umig_unshare_chunk(const struct umig_stretch *stretch, void *again);

/* Of a range of page frames, from begin to end. */
void umig_unshare_range_begin(unsigned long start_pfn, unsigned long end_pfn);
void umig_unshare_range_end(void);

/* Everything, at last. */
void umig_unshare_exit(void);

#endif
