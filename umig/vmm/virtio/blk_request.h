/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One request to a virtio-blk device (virtio 1.1, 5.2.6): parsed from a chain,
 * with a bounce buffer of its own, and completed into the chain.
 *
 * Why it bounces: I/O straight into guest memory would pin it, which un-merges
 * KSM pages, and would need the guest's buffers to be aligned for O_DIRECT.
 */
#ifndef UMIG_VMM_VIRTIO_BLK_REQUEST_H
#define UMIG_VMM_VIRTIO_BLK_REQUEST_H

#include <linux/virtio_blk.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/virtio/virtqueue.h"

#define BLK_SEGMENTS_MAX 126
#define BLK_SEGMENT_BYTES_MAX 32768
#define BLK_REQUEST_BYTES_MAX (BLK_SEGMENTS_MAX * BLK_SEGMENT_BYTES_MAX)
#define BLK_ID "umig"

/**
 * enum blk_action - What is to be done for a request.
 * @BLK_NOTHING: it is complete, with &blk_request.status.
 */
enum blk_action {
	BLK_NOTHING = 1,
	BLK_READ = 2,
	BLK_WRITE = 3,
	BLK_FLUSH = 4,
};

/**
 * struct blk_request - A request.
 * @chain: where it came from.
 * @action: what is to be done.
 * @offset: into the image.
 * @bytes: to transfer.
 * @done: of these, so far.
 * @data: bounce buffer of @bytes, aligned; NULL if @bytes is 0.
 * @through: it has to be on stable storage when it is complete.
 * @status: VIRTIO_BLK_S_*.
 */
struct blk_request {
	struct vq_chain chain;
	enum blk_action action;
	uint64_t offset;
	uint32_t bytes;
	uint32_t done;
	uint8_t *data;
	bool through;
	uint8_t status;
};

/**
 * blk_request_parse() - From r->chain, for an image of @image_bytes.
 *
 * What a driver may get wrong becomes BLK_NOTHING with an error status.
 *
 * Return: 0; -EBADMSG: it has no place for a status: the queue is broken.
 */
int blk_request_parse(struct blk_request *r, uint64_t image_bytes,
		      bool readonly);

/**
 * blk_request_complete() - Put data and status into guest memory.
 *
 * Return: how many bytes were written there; frees @r->data.
 */
uint32_t blk_request_complete(struct blk_request *r,
			      const struct guest_mem *mem);

#endif
