/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Untouched pages: of private anonymous memory, those that nobody has written
 * yet.  They are zero.  To look at them would make the kernel map something
 * there, at the price of a page fault each; its page map tells without.
 */
#ifndef UMIG_MEM_UNTOUCHED_H
#define UMIG_MEM_UNTOUCHED_H

#include <stdint.h>

#include "mem/memslots.h"

/* The most that can be asked at once. */
#define UNTOUCHED_MAX 512

/** struct untouched - @fd: this process's page map; -1: nothing is known. */
struct untouched {
	int fd;
};

/** untouched_open() - Never fails; knows nothing if @ms isn't anonymous. */
void untouched_open(struct untouched *u, const struct memslots *ms);
void untouched_close(struct untouched *u);

/**
 * untouched_find() - Which of @n pages from @hva on are untouched.
 * @map: set to a bitmap of UNTOUCHED_MAX bits.
 *
 * A page may be written as soon as this has looked: dirty logging must be on.
 *
 * Return: how many are; -ENODATA: that isn't known, and no bit is set.
 */
int untouched_find(const struct untouched *u, const void *hva, unsigned int n,
		   uint64_t *map);

#endif
