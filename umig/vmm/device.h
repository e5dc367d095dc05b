/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The seam between the VM and its devices.  A device is one region of the PIO
 * or MMIO space, a row of operations, and perhaps a thread of its own; it
 * knows the VM only as a &struct device_host, so that tests can be one.
 *
 *   acquire ─▶ resume ─▶ (guest runs: read, write) ─▶ quiesce ─▶ save
 *      ▲                                                 │
 *      └──────────────── release ◀───────────────────────┘
 */
#ifndef UMIG_VMM_DEVICE_H
#define UMIG_VMM_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "vmm/guest_mem.h"
#include "wire/machine.h"

#define DEVICE_NAME_MAX 24

struct device;

/**
 * struct device_ops - What a device can be asked.  NULL: nothing to do.
 *
 * vCPU threads, several at a time:
 * @read, @write: an access of @len (1 to 8) bytes at @offset into the region;
 *	the whole access lies inside it.  @read fills in all of @data.
 *
 * The thread that pauses and resumes the VM, vCPUs at rest:
 * @acquire: take what only one host may have (a disk, for writing).
 *	Idempotent.
 * @release: give it back.  Idempotent.
 * @resume: the guest runs from now on.
 * @quiesce: bring the back-end to rest: guest memory and the device's state
 *	don't change afterwards, and what the guest was told is written is on
 *	stable storage.
 * @check: whether @acquire is going to work as far as one can tell without
 *	taking anything.
 * @save, @load: the device's state; @load takes hostile input, -EBADMSG.
 *	Between @quiesce and @resume only.
 * @version: of that state.
 *
 * @describe: what the guest can see of the device, into the machine.
 * @destroy: stop threads, free; after a @quiesce or without.
 */
struct device_ops {
	void (*read)(struct device *d, uint64_t offset, uint8_t *data,
		     unsigned int len);
	void (*write)(struct device *d, uint64_t offset, const uint8_t *data,
		      unsigned int len);
	int (*acquire)(struct device *d, struct err *err);
	void (*release)(struct device *d);
	void (*resume)(struct device *d);
	int (*quiesce)(struct device *d, struct err *err);
	int (*check)(struct device *d, struct err *err);
	void (*save)(struct device *d, struct buf *out);
	int (*load)(struct device *d, struct reader *in);
	int (*describe)(struct device *d, struct machine *out);
	void (*destroy)(struct device *d);
	uint32_t version;
};

/**
 * struct device_host - What a device may do to its VM.
 * @mem: guest RAM.
 * @irq: set the level of interrupt line @gsi.  Takes effect before it returns.
 * @notify_fd: have KVM signal eventfd @fd when the guest writes 32-bit @value
 *	at @gpa, in place of an exit.
 * @end: the guest has switched itself off (@reset: or wants to be reset).
 * @fail: a device can't go on: the VM stops, crashed.
 */
struct device_host {
	struct guest_mem mem;
	void (*irq)(struct device_host *host, unsigned int gsi, bool level);
	int (*notify_fd)(struct device_host *host, int fd, uint64_t gpa,
			 uint32_t value);
	void (*end)(struct device_host *host, bool reset, const char *why);
	void (*fail)(struct device_host *host, const char *why);
};

enum device_space {
	DEVICE_PIO = 1,
	DEVICE_MMIO = 2,
};

/**
 * struct device - Embedded in each device's own struct.  Immutable once the
 *	device is on the bus.
 * @name: unique in the machine; names its section of the saved state.
 * @gsi: its interrupt line; 0: none.
 */
struct device {
	const struct device_ops *ops;
	struct device_host *host;
	enum device_space space;
	uint64_t base;
	uint64_t bytes;
	unsigned int gsi;
	char name[DEVICE_NAME_MAX];
};

#define DEVICES_MAX 24

/** struct bus - All devices of a VM, owned. */
struct bus {
	unsigned int nr;
	struct device *device[DEVICES_MAX];
};

/** bus_add() - Append @d, whose region must not overlap another's. */
int bus_add(struct bus *bus, struct device *d);

/**
 * bus_access() - A guest's access.  Where no device is, reads give all ones
 * and writes vanish, as on a PC.
 */
void bus_access(struct bus *bus, enum device_space space, uint64_t address,
		uint8_t *data, unsigned int len, bool write);

/** bus_find() - By name, or NULL. */
struct device *bus_find(struct bus *bus, const char *name);

/* Every device in turn; the first error ends it. */
int bus_acquire(struct bus *bus, struct err *err);
int bus_check(struct bus *bus, struct err *err);
int bus_describe(struct bus *bus, struct machine *out);

/* Every device, errors notwithstanding; bus_quiesce() returns the first. */
void bus_release(struct bus *bus);
void bus_resume(struct bus *bus);
int bus_quiesce(struct bus *bus, struct err *err);
void bus_destroy(struct bus *bus);

#endif
