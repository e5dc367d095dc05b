/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Swap in memory, and a control group with the test in it whose memory can be
 * reclaimed on demand.
 */
#ifndef UMIG_SELFTESTS_KMOD_SWAP_H
#define UMIG_SELFTESTS_KMOD_SWAP_H

/* NULL, or why the machine can't. */
const char *swap_on(void);
void swap_off(void);
/* Once; @bytes as in memory.reclaim: "4M". */
void swap_reclaim(const char *bytes);
/* How much of the calling process is swapped out. */
long swap_used_kb(void);

#endif
