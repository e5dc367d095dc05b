/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fresh pages: anonymous memory that nobody has touched, written for the first
 * time.  What that takes is mostly page faults, so they are taken many at once:
 * by a userfaultfd, whose UFFDIO_COPY makes pages out of what they are to hold,
 * without zeroing them first; else by MADV_POPULATE_WRITE; else one by one.
 * Small pages in any case.
 */
#ifndef UMIG_MEM_FRESH_H
#define UMIG_MEM_FRESH_H

#include <stddef.h>

/** struct fresh - @uffd: -1: there is none here.  Constant after init. */
struct fresh {
	int uffd;
};

/** fresh_init() - Find out what there is; never fails. */
void fresh_init(struct fresh *f);
void fresh_exit(struct fresh *f);

/**
 * fresh_write() - Copy @pages pages to @to, where nobody else reads or writes.
 * Pages that have been touched all the same are written, too, but slower.
 * Any thread.
 *
 * Return: 0, or -ENOMEM: the kernel has none for its own books, and the pages
 * can't be used as long as @f is there.
 */
int fresh_write(const struct fresh *f, void *to, const void *from,
		size_t pages);

#endif
