/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a VM's process takes digests and pages from in a migration: the kernel
 * module, if it is there, and the images that the operator has named, which must
 * be there.
 */
#ifndef UMIG_CONTROL_HELD_H
#define UMIG_CONTROL_HELD_H

#include <stdbool.h>

#include "lib/err.h"
#include "mem/digest_source.h"
#include "mem/page_source.h"

#define HELD_IMAGES_MAX (PAGE_SOURCES_MAX - 1)

/**
 * struct held - What to take them from; strings are borrowed.
 * @module: the kernel module's index.
 * @image: @nr_images paths of images, each with its index beside it; the source
 *	uses the first one alone.
 */
struct held {
	bool module;
	unsigned int nr_images;
	const char *image[HELD_IMAGES_MAX];
};

/**
 * held_digests_open() - At the source.
 * @out: NULL if there are none.
 * @why: why the module can't be used, if it should be and nothing else is
 *	there in its place; else untouched.
 *
 * Return: 0, or -errno: an image can't be used: with words in @err.
 */
int held_digests_open(const struct held *held, const struct memslots *ms,
		      struct digest_source **out, struct err *why,
		      struct err *err);

/** held_pages_open() - At the destination, likewise; @group: the VM's. */
int held_pages_open(const struct held *held, const char *group,
		    struct page_source **out, struct err *why,
		    struct err *err);

#endif
