/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Split virtqueues (virtio 1.1, 2.6) in guest memory.  Every index, address
 * and length in them is hostile input, and may change while it is looked at:
 * each is read once and checked before it is used.  A queue that breaks the
 * rules is broken until the guest resets the device.
 *
 * Not locked: the device's lock protects a queue.
 */
#ifndef UMIG_VMM_VIRTIO_VIRTQUEUE_H
#define UMIG_VMM_VIRTIO_VIRTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "vmm/guest_mem.h"

#define VIRTQUEUE_SIZE_MAX 256

/** struct vq_segment - A piece of guest memory. */
struct vq_segment {
	uint8_t *at;
	uint64_t gpa;
	uint32_t bytes;
};

/**
 * struct vq_chain - What a guest has put into the queue as one request.
 * @head: names it in vq_push().
 * @nr_read, @nr_write: segments for the device to read, and after them those
 *	to write.
 * @read_bytes, @write_bytes: their sums.
 */
struct vq_chain {
	uint16_t head;
	unsigned int nr_read;
	unsigned int nr_write;
	uint64_t read_bytes;
	uint64_t write_bytes;
	struct vq_segment segment[VIRTQUEUE_SIZE_MAX];
};

/**
 * struct virtqueue - One queue.
 * @max: largest size, fixed by the device; a power of two.
 * @size: as the driver chose it, while not @ready.
 * @desc, @avail, @used: guest addresses of the three parts.
 * @last_avail: next entry of the available ring to take.
 * @used_idx: next entry of the used ring to write.
 * @ready: the driver has set it up.
 * @broken: see above.
 */
struct virtqueue {
	uint16_t max;
	uint16_t size;
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
	uint16_t last_avail;
	uint16_t used_idx;
	bool ready;
	bool broken;
};

/** vq_init() - A queue of at most @max entries, not set up. */
void vq_init(struct virtqueue *q, uint16_t max);

/** vq_enable() - The driver says it is set up: check that it can be. */
void vq_enable(struct virtqueue *q, const struct guest_mem *mem);

/**
 * vq_pop() - Take the next request.
 *
 * Return: 1; 0: there is none; -EBADMSG: the queue is broken (now).
 */
int vq_pop(struct virtqueue *q, const struct guest_mem *mem,
	   struct vq_chain *out);

/** vq_push() - Give a request back, @bytes of its memory written. */
void vq_push(struct virtqueue *q, const struct guest_mem *mem, uint16_t head,
	     uint32_t bytes);

/** vq_wants_interrupt() - Whether the driver asks to be told of a push. */
bool vq_wants_interrupt(const struct virtqueue *q,
			const struct guest_mem *mem);

/** vq_copy_from() - Copy from the readable part; false: it is shorter. */
bool vq_copy_from(const struct vq_chain *c, uint64_t offset, void *to,
		  uint64_t bytes);

/** vq_copy_to() - Copy into the writable part and mark it dirty. */
bool vq_copy_to(const struct vq_chain *c, const struct guest_mem *mem,
		uint64_t offset, const void *from, uint64_t bytes);

void vq_save(const struct virtqueue *q, struct buf *out);
/** vq_load() - -EBADMSG if it can't be a queue of this device. */
int vq_load(struct virtqueue *q, const struct guest_mem *mem,
	    struct reader *in);

#endif
