/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mappings that SHARE has made and KSM doesn't know of yet.
 */
#ifndef UMIG_ADOPT_H
#define UMIG_ADOPT_H

#include <linux/bits.h>
#include <linux/types.h>
#include <asm/page.h>

struct mm_struct;

/* A stretch of addresses: a bitmap of so many pages stands in a page. */
#define UMIG_ADOPT_CHUNK_PAGES	(PAGE_SIZE * BITS_PER_BYTE)

typedef void umig_adopt_fn(unsigned long base, const unsigned long *bits,
			   void *arg);

bool umig_adopt_any(void);
void umig_adopt_walk(umig_adopt_fn *fn, void *arg);

int umig_adopt_expect(struct mm_struct *mm, unsigned long addr);
void umig_adopt_forget(struct mm_struct *mm, unsigned long addr);
void umig_adopt_reap(void);
void umig_adopt_exit(void);

/* From the hook: lock-free, O(1). */
void umig_adopt_note(const struct mm_struct *mm, unsigned long addr);

#endif
