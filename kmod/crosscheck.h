/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A second opinion on whether the hook for removals hears of all of them.
 */
#ifndef UMIG_CROSSCHECK_H
#define UMIG_CROSSCHECK_H

#include <linux/types.h>

void umig_crosscheck_init(void);
void umig_crosscheck_exit(void);

u64 umig_crosscheck_missed(void);
u64 umig_crosscheck_take(void);

#endif
