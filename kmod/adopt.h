/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mappings that SHARE has made and KSM doesn't know of yet.
 */
#ifndef UMIG_ADOPT_H
#define UMIG_ADOPT_H

#include <linux/bits.h>
#include <linux/types.h>
#include <asm/page.h>

struct anon_vma;
struct mm_struct;
struct vm_area_struct;

/* A stretch of addresses: a bitmap of so many pages stands in a page. */
#define UMIG_ADOPT_CHUNK_PAGES	(PAGE_SIZE * BITS_PER_BYTE)

#define UMIG_ADOPT_ROOTS	8

/**
 * struct umig_roots - In which families of areas one process has been shared
 * pages with.
 * @root: of an area's anon_vma: only compared.
 * @nr: how many; more than there is room for: any.
 *
 * fork(2) gives the child's area an anon_vma with the root of the parent's; an
 * area that isn't descended from another has a root of its own.  The address of
 * one that is gone may be another's by now: then too much is looked at.
 */
struct umig_roots {
	const struct anon_vma *root[UMIG_ADOPT_ROOTS];
	unsigned int nr;
};

/**
 * struct umig_stretch - Where one process has been shared pages with.
 * @base: the first address.
 * @bits: which pages from there, UMIG_ADOPT_CHUNK_PAGES.
 * @roots: in which areas they can be.
 */
struct umig_stretch {
	unsigned long base;
	const unsigned long *bits;
	const struct umig_roots *roots;
};

typedef void umig_adopt_fn(const struct umig_stretch *stretch, void *arg);

bool umig_adopt_any(void);
void umig_adopt_walk(umig_adopt_fn *fn, void *arg);
bool umig_roots_have(const struct umig_roots *roots,
		     const struct vm_area_struct *vma);

int umig_adopt_expect(const struct vm_area_struct *vma, unsigned long addr);
void umig_adopt_forget(struct mm_struct *mm, unsigned long addr);
void umig_adopt_reap(void);
void umig_adopt_exit(void);

/* From the hook: lock-free, O(1). */
void umig_adopt_note(const struct mm_struct *mm, unsigned long addr);

#endif
