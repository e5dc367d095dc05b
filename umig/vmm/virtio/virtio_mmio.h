/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtio-mmio transport, version 2 (virtio 1.1, 4.2): registers, feature
 * negotiation, queue set-up, interrupt.  A virtio device embeds it and brings
 * its features, its config space and a back-end.
 *
 * The interrupt is level-triggered: high while the status register isn't 0,
 * so that none can be lost on the way to another host.
 */
#ifndef UMIG_VMM_VIRTIO_VIRTIO_MMIO_H
#define UMIG_VMM_VIRTIO_VIRTIO_MMIO_H

#include <pthread.h>

#include "vmm/device.h"
#include "vmm/virtio/virtqueue.h"

#define VIRTIO_MMIO_BYTES 0x1000
#define VIRTIO_QUEUES_MAX 8

struct virtio_mmio;

/**
 * struct virtio_ops - What a virtio device brings.  NULL where a device has
 *	nothing to do; @reset is required.
 * @reset: the driver has reset the device: forget what was requested.  When
 *	it returns the back-end uses no guest memory.  Without the lock.
 *	Also when a queue is taken back, which isn't ready any more then.
 * @others: as in &struct device_ops; &virtio_mmio's own part is done already.
 */
struct virtio_ops {
	void (*reset)(struct virtio_mmio *v);
	int (*acquire)(struct virtio_mmio *v, struct err *err);
	void (*release)(struct virtio_mmio *v);
	void (*resume)(struct virtio_mmio *v);
	int (*quiesce)(struct virtio_mmio *v, struct err *err);
	int (*check)(struct virtio_mmio *v, struct err *err);
	int (*describe)(struct virtio_mmio *v, struct machine *out);
	void (*destroy)(struct virtio_mmio *v);
};

/**
 * struct virtio_mmio - One device.
 *
 * Constant:
 * @ops, @device_id, @features, @config, @config_bytes, @nr_queues.
 * @notify_fd: an eventfd for each queue, signalled when the driver says that
 *	there is something in it.
 *
 * @lock: registers and queues; taken by vCPUs and the back-end.
 */
struct virtio_mmio {
	struct device dev;
	const struct virtio_ops *ops;
	uint32_t device_id;
	uint64_t features;
	const void *config;
	uint32_t config_bytes;
	unsigned int nr_queues;
	int notify_fd[VIRTIO_QUEUES_MAX];

	pthread_mutex_t lock;
	uint64_t driver_features;
	uint32_t features_sel;
	uint32_t driver_features_sel;
	uint32_t queue_sel;
	uint32_t interrupt_status;
	uint32_t status;
	struct virtqueue queue[VIRTIO_QUEUES_MAX];
};

/**
 * virtio_mmio_init() - Set up the transport part.
 * @v: zero but for its "constant" fields up to @nr_queues and, in @dev, host,
 *	base, gsi and name.
 * @queue_size: of every queue.
 */
int virtio_mmio_init(struct virtio_mmio *v, uint16_t queue_size);

/** virtio_mmio_exit() - Undo it. */
void virtio_mmio_exit(struct virtio_mmio *v);

/** virtio_done() - Give a request back and tell the driver; under the lock. */
void virtio_done(struct virtio_mmio *v, unsigned int queue, uint16_t head,
		 uint32_t bytes);

/**
 * virtio_broken() - The driver broke the rules: the device asks to be reset;
 * under the lock.
 */
void virtio_broken(struct virtio_mmio *v);

/** virtio_is_live() - The driver has said DRIVER_OK; under the lock. */
bool virtio_is_live(const struct virtio_mmio *v);

#endif
