/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A disk's image: a file or block device with raw content.  It is looked at
 * when the VM is made, and opened for use, and locked, only while this host is
 * the one that runs the guest.
 */
#ifndef UMIG_VMM_VIRTIO_BLK_IMAGE_H
#define UMIG_VMM_VIRTIO_BLK_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

#define SECTOR_BYTES 512

/** struct blk_image - @fd: -1 unless acquired. */
struct blk_image {
	char *path;
	bool readonly;
	bool direct;
	uint64_t bytes;
	int fd;
};

/** blk_image_init() - Look at it: that it exists, what size it has. */
int blk_image_init(struct blk_image *image, const char *path, bool readonly,
		   struct err *err);
void blk_image_exit(struct blk_image *image);

/** blk_image_check() - Whether it could be acquired, without doing so. */
int blk_image_check(const struct blk_image *image, struct err *err);

/**
 * blk_image_acquire() - Open it for use and lock it.  Idempotent.
 *
 * Return: 0; -EBUSY: another VM has it; -errno.
 */
int blk_image_acquire(struct blk_image *image, struct err *err);
void blk_image_release(struct blk_image *image);

#endif
