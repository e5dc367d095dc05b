/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A disk: virtio-blk over a raw image.
 */
#ifndef UMIG_VMM_VIRTIO_VIRTIO_BLK_H
#define UMIG_VMM_VIRTIO_VIRTIO_BLK_H

#include "lib/err.h"
#include "vmm/device.h"

/** struct virtio_blk_place - Where in the machine the disk is. */
struct virtio_blk_place {
	unsigned int nr;	/* 0: vda, ... */
	uint64_t base;
	unsigned int gsi;
};

int virtio_blk_create(struct device **out, struct device_host *host,
		      const struct virtio_blk_place *place, const char *path,
		      bool readonly, struct err *err);

#endif
