// SPDX-License-Identifier: GPL-2.0
/*
 * The VM's devices as a table: see device.h.  It is filled before the first
 * vCPU runs and constant afterwards, so that accesses need no lock.
 */
#include "vmm/device.h"

#include <errno.h>
#include <string.h>

static bool overlaps(const struct device *a, const struct device *b)
{
	return a->space == b->space && a->base < b->base + b->bytes &&
	       b->base < a->base + a->bytes;
}

int bus_add(struct bus *bus, struct device *d)
{
	unsigned int i;

	if (bus->nr == DEVICES_MAX)
		return -ENOSPC;
	for (i = 0; i < bus->nr; i++)
		if (overlaps(bus->device[i], d) ||
		    !strcmp(bus->device[i]->name, d->name))
			return -EEXIST;
	bus->device[bus->nr++] = d;
	return 0;
}

static struct device *bus_at(struct bus *bus, enum device_space space,
			     uint64_t address, unsigned int len)
{
	struct device *d;
	unsigned int i;

	for (i = 0; i < bus->nr; i++) {
		d = bus->device[i];
		if (d->space == space && address >= d->base &&
		    address - d->base < d->bytes &&
		    len <= d->bytes - (address - d->base))
			return d;
	}
	return NULL;
}

void bus_access(struct bus *bus, enum device_space space, uint64_t address,
		uint8_t *data, unsigned int len, bool write)
{
	struct device *d = bus_at(bus, space, address, len);

	if (!write)
		memset(data, 0xff, len);
	if (!d)
		return;
	if (write)
		d->ops->write(d, address - d->base, data, len);
	else
		d->ops->read(d, address - d->base, data, len);
}

struct device *bus_find(struct bus *bus, const char *name)
{
	unsigned int i;

	for (i = 0; i < bus->nr; i++)
		if (!strcmp(bus->device[i]->name, name))
			return bus->device[i];
	return NULL;
}

int bus_acquire(struct bus *bus, struct err *err)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < bus->nr && !ret; i++)
		if (bus->device[i]->ops->acquire)
			ret = bus->device[i]->ops->acquire(bus->device[i], err);
	return ret;
}

int bus_check(struct bus *bus, struct err *err)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < bus->nr && !ret; i++)
		if (bus->device[i]->ops->check)
			ret = bus->device[i]->ops->check(bus->device[i], err);
	return ret;
}

int bus_describe(struct bus *bus, struct machine *out)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < bus->nr && !ret; i++)
		if (bus->device[i]->ops->describe)
			ret = bus->device[i]->ops->describe(bus->device[i],
							    out);
	return ret;
}

void bus_release(struct bus *bus)
{
	unsigned int i;

	for (i = 0; i < bus->nr; i++)
		if (bus->device[i]->ops->release)
			bus->device[i]->ops->release(bus->device[i]);
}

void bus_resume(struct bus *bus)
{
	unsigned int i;

	for (i = 0; i < bus->nr; i++)
		if (bus->device[i]->ops->resume)
			bus->device[i]->ops->resume(bus->device[i]);
}

int bus_quiesce(struct bus *bus, struct err *err)
{
	int ret = 0, one;
	unsigned int i;

	for (i = 0; i < bus->nr; i++) {
		if (!bus->device[i]->ops->quiesce)
			continue;
		one = bus->device[i]->ops->quiesce(bus->device[i], err);
		ret = ret ? ret : one;
	}
	return ret;
}

void bus_destroy(struct bus *bus)
{
	while (bus->nr) {
		struct device *d = bus->device[--bus->nr];

		d->ops->destroy(d);
	}
}
