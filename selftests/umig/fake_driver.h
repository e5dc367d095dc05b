/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtio driver as a guest has one, reduced to its first queue and to one
 * page for each part of it; able to lie about all of it.
 */
#ifndef SELFTESTS_UMIG_FAKE_DRIVER_H
#define SELFTESTS_UMIG_FAKE_DRIVER_H

#include "fake_host.h"

#define DRIVER_DESC 0x1000ULL
#define DRIVER_AVAIL 0x2000ULL
#define DRIVER_USED 0x3000ULL
#define DRIVER_HEADER 0x4000ULL		/* for request headers, status bytes */
#define DRIVER_DATA 0x8000ULL		/* the rest of low RAM */

struct fake_driver {
	struct fake_host *host;
	struct device *dev;
	uint16_t size;
	uint16_t avail_idx;
	uint16_t used_idx;
};

/** driver_feature() - Whether the device offers bit @n. */
bool driver_feature(struct fake_driver *d, unsigned int n);

/**
 * driver_start() - Bring the device up with @features and a queue of @size.
 *
 * Return: whether the device accepted the features.
 */
bool driver_start(struct fake_driver *d, struct fake_host *h,
		  struct device *dev, uint64_t features, uint16_t size);

void driver_reset(struct fake_driver *d);
uint32_t driver_status(struct fake_driver *d);

/** driver_desc() - Fill in a descriptor. */
void driver_desc(struct fake_driver *d, unsigned int i, uint64_t gpa,
		 uint32_t bytes, uint16_t flags, uint16_t next);

/** driver_offer() - Make the chain at @head available; without telling. */
void driver_offer(struct fake_driver *d, uint16_t head);
void driver_kick(struct fake_driver *d);

/**
 * driver_take() - Wait for the next used entry, acknowledge the interrupt.
 * @bytes: out: how much the device says to have written; may be NULL.
 *
 * Return: its head; -1: nothing came within 10 s.
 */
int driver_take(struct fake_driver *d, uint32_t *bytes);

/** driver_used() - How many entries the device has used since the start. */
uint16_t driver_used(struct fake_driver *d);

#endif
