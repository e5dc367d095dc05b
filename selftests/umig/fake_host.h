/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine without processors: RAM, interrupt lines and notifications as a
 * device sees them, for tests of one device at a time.  RAM has two slots with
 * a hole between them.
 */
#ifndef SELFTESTS_UMIG_FAKE_HOST_H
#define SELFTESTS_UMIG_FAKE_HOST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/device.h"

#define FAKE_SLOT_PAGES 64
#define FAKE_SLOT_BYTES (FAKE_SLOT_PAGES * UMIG_PAGE_SIZE)
#define FAKE_HIGH_GPA 0x100000000ULL	/* where the second slot is */
#define FAKE_LINES 24
#define FAKE_NOTIFY_MAX 8

struct fake_notify {
	int fd;
	uint64_t gpa;
	uint32_t value;
};

/**
 * struct fake_host - The machine.
 * @ram: both slots, one behind the other.
 * @lock: protects what follows; @changed is signalled for all of it.
 * @level, @rises: of each interrupt line, and how often it rose.
 * @ended, @reset, @failed, @why: what was asked of it last.
 */
struct fake_host {
	struct device_host host;
	struct memslots slots;
	struct dirty dirty;
	uint8_t *ram;
	struct fake_notify notify[FAKE_NOTIFY_MAX];
	unsigned int nr_notify;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool level[FAKE_LINES];
	unsigned int rises[FAKE_LINES];
	bool ended;
	bool reset;
	bool failed;
	char why[128];
};

void fake_host_init(struct fake_host *h);
void fake_host_exit(struct fake_host *h);

/** fake_ptr() - Guest memory, which must be there. */
void *fake_ptr(struct fake_host *h, uint64_t gpa, uint64_t bytes);

/** fake_dirty_take() - Whether @gpa's page was marked dirty; it isn't after. */
bool fake_dirty_take(struct fake_host *h, uint64_t gpa);

/** fake_dirty_count() - How many pages are marked. */
unsigned int fake_dirty_count(struct fake_host *h);

/** fake_wait_level() - Whether the line gets to @level within 10 s. */
bool fake_wait_level(struct fake_host *h, unsigned int gsi, bool level);

/** fake_level() - The line as it is now. */
bool fake_level(struct fake_host *h, unsigned int gsi);

/** fake_wait_ended() - Whether the guest is ended or failed within 10 s. */
bool fake_wait_ended(struct fake_host *h);

/** fake_read(), fake_write() - A vCPU's access, notifications included. */
uint64_t fake_read(struct fake_host *h, struct device *d, uint64_t offset,
		   unsigned int len);
void fake_write(struct fake_host *h, struct device *d, uint64_t offset,
		uint64_t value, unsigned int len);

/**
 * fake_load_garbled() - Load every truncation of a good state, and each of its
 * bytes changed: what isn't taken must be -EBADMSG.  How many were refused.
 */
unsigned int fake_load_garbled(struct device *d, const struct buf *good);

#endif
