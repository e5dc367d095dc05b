// SPDX-License-Identifier: GPL-2.0
/*
 * Which devices a VM has: see devices.h.
 */
#include "vmm/devices.h"

#include <errno.h>
#include <string.h>

#include "vmm/i8042.h"
#include "vmm/power.h"
#include "vmm/rtc.h"
#include "vmm/serial.h"
#include "vmm/virtio/virtio_blk.h"

/* Put @d on the bus if @ret says that it was made; own it either way. */
static int add(struct vm *vm, struct device *d, int ret, const char *what,
	       struct err *err)
{
	if (!ret) {
		ret = bus_add(&vm->bus, d);
		if (ret)
			d->ops->destroy(d);
	}
	return ret ? err_set(err, ret, "%s: %s can't be made: %s", vm->name,
			     what, strerror(-ret)) : 0;
}

static int add_power(struct vm *vm, struct err *err)
{
	struct device *d = NULL;
	int ret = power_create(&d, &vm->host, VM_ACPI_PORT);

	return add(vm, d, ret, "the power switch", err);
}

static int add_i8042(struct vm *vm, struct err *err)
{
	struct device *d = NULL;
	int ret = i8042_create(&d, &vm->host);

	return add(vm, d, ret, "the keyboard controller", err);
}

static int add_rtc(struct vm *vm, struct err *err)
{
	struct device *d = NULL;
	int ret = rtc_create(&d, &vm->host);

	return add(vm, d, ret, "the clock", err);
}

static int add_serial(struct vm *vm, const char *spec, struct err *err)
{
	struct device *d = NULL;
	int ret = serial_create(&d, &vm->host, spec, err);

	return add(vm, d, ret, "the serial port", err);
}

static int add_disk(struct vm *vm, unsigned int nr, const struct vm_disk *disk,
		    struct err *err)
{
	const struct virtio_blk_place place = {
		.nr = nr,
		.base = VM_VIRTIO_BASE + nr * UMIG_PAGE_SIZE,
		.gsi = VM_VIRTIO_GSI + nr,
	};
	struct device *d = NULL;
	int ret = virtio_blk_create(&d, &vm->host, &place, disk->path,
				    disk->readonly, err);

	return add(vm, d, ret, disk->path, err);
}

int devices_create(struct vm *vm, const struct vm_config *config,
		   struct err *err)
{
	int ret = add_power(vm, err);
	unsigned int i;

	if (!ret)
		ret = add_i8042(vm, err);
	if (!ret)
		ret = add_rtc(vm, err);
	if (!ret)
		ret = add_serial(vm, config->serial, err);
	for (i = 0; i < config->nr_disks && !ret; i++)
		ret = add_disk(vm, i, &config->disks[i], err);
	return ret;
}
