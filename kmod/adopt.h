/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mappings that SHARE has made and KSM doesn't know of yet.
 */
#ifndef UMIG_ADOPT_H
#define UMIG_ADOPT_H

#include <linux/types.h>

struct mm_struct;

int umig_adopt_expect(struct mm_struct *mm, unsigned long addr);
void umig_adopt_forget(struct mm_struct *mm, unsigned long addr);
void umig_adopt_reap(void);
void umig_adopt_exit(void);

/* From the hook: lock-free, O(1). */
void umig_adopt_note(const struct mm_struct *mm, unsigned long addr);

#endif
