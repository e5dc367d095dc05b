// SPDX-License-Identifier: GPL-2.0
/*
 * A virtio driver: see fake_driver.h.
 */
#include "fake_driver.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint32_t get(struct fake_driver *d, uint64_t reg)
{
	return fake_read(d->host, d->dev, reg, 4);
}

static void set(struct fake_driver *d, uint64_t reg, uint32_t v)
{
	fake_write(d->host, d->dev, reg, v, 4);
}

bool driver_feature(struct fake_driver *d, unsigned int n)
{
	set(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, n / 32);
	return get(d, VIRTIO_MMIO_DEVICE_FEATURES) >> (n % 32) & 1;
}

static void set_up_queue(struct fake_driver *d)
{
	set(d, VIRTIO_MMIO_QUEUE_SEL, 0);
	assert_int_equal(get(d, VIRTIO_MMIO_QUEUE_READY), 0);
	set(d, VIRTIO_MMIO_QUEUE_NUM, d->size);
	set(d, VIRTIO_MMIO_QUEUE_DESC_LOW, DRIVER_DESC);
	set(d, VIRTIO_MMIO_QUEUE_DESC_HIGH, 0);
	set(d, VIRTIO_MMIO_QUEUE_AVAIL_LOW, DRIVER_AVAIL);
	set(d, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, 0);
	set(d, VIRTIO_MMIO_QUEUE_USED_LOW, DRIVER_USED);
	set(d, VIRTIO_MMIO_QUEUE_USED_HIGH, 0);
	set(d, VIRTIO_MMIO_QUEUE_READY, 1);
	assert_int_equal(get(d, VIRTIO_MMIO_QUEUE_READY), 1);
}

bool driver_start(struct fake_driver *d, struct fake_host *h,
		  struct device *dev, uint64_t features, uint16_t size)
{
	uint32_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE |
			  VIRTIO_CONFIG_S_DRIVER;

	*d = (struct fake_driver){ .host = h, .dev = dev, .size = size };
	driver_reset(d);
	memset(fake_ptr(h, DRIVER_DESC, 0x3000), 0, 0x3000);
	set(d, VIRTIO_MMIO_STATUS, status);
	set(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	set(d, VIRTIO_MMIO_DRIVER_FEATURES, features);
	set(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	set(d, VIRTIO_MMIO_DRIVER_FEATURES, features >> 32);
	status |= VIRTIO_CONFIG_S_FEATURES_OK;
	set(d, VIRTIO_MMIO_STATUS, status);
	if (!(driver_status(d) & VIRTIO_CONFIG_S_FEATURES_OK))
		return false;
	set_up_queue(d);
	set(d, VIRTIO_MMIO_STATUS, status | VIRTIO_CONFIG_S_DRIVER_OK);
	return true;
}

void driver_reset(struct fake_driver *d)
{
	set(d, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(driver_status(d), 0);
}

uint32_t driver_status(struct fake_driver *d)
{
	return get(d, VIRTIO_MMIO_STATUS);
}

void driver_desc(struct fake_driver *d, unsigned int i, uint64_t gpa,
		 uint32_t bytes, uint16_t flags, uint16_t next)
{
	struct vring_desc *at = fake_ptr(d->host, DRIVER_DESC +
					 i * sizeof(*at), sizeof(*at));

	*at = (struct vring_desc){ gpa, bytes, flags, next };
}

void driver_offer(struct fake_driver *d, uint16_t head)
{
	struct vring_avail *ring = fake_ptr(d->host, DRIVER_AVAIL,
					    UMIG_PAGE_SIZE);

	ring->ring[d->avail_idx % d->size] = head;
	d->avail_idx++;
	__atomic_store_n(&ring->idx, d->avail_idx, __ATOMIC_RELEASE);
}

void driver_kick(struct fake_driver *d)
{
	set(d, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

static struct vring_used *used(struct fake_driver *d)
{
	return fake_ptr(d->host, DRIVER_USED, UMIG_PAGE_SIZE);
}

uint16_t driver_used(struct fake_driver *d)
{
	return __atomic_load_n(&used(d)->idx, __ATOMIC_ACQUIRE);
}

int driver_take(struct fake_driver *d, uint32_t *bytes)
{
	const struct vring_used_elem *e;

	while (driver_used(d) == d->used_idx) {
		if (!fake_wait_level(d->host, d->dev->gsi, true))
			return -1;
		set(d, VIRTIO_MMIO_INTERRUPT_ACK,
		    get(d, VIRTIO_MMIO_INTERRUPT_STATUS));
	}
	e = &used(d)->ring[d->used_idx++ % d->size];
	if (bytes)
		*bytes = e->len;
	return e->id;
}
