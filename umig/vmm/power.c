// SPDX-License-Identifier: GPL-2.0
/*
 * The switch: see power.h.  It has no state.
 */
#include "vmm/power.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void power_read(struct device *d, uint64_t offset, uint8_t *data,
		       unsigned int len)
{
	(void)d;
	(void)offset;
	memset(data, 0, len);
}

static void power_write(struct device *d, uint64_t offset, const uint8_t *data,
			unsigned int len)
{
	(void)len;
	if (offset == POWER_SLEEP_CONTROL && *data == POWER_OFF_VALUE)
		d->host->end(d->host, false, "the guest powered off");
	else if (offset == POWER_RESET && *data == POWER_RESET_VALUE)
		d->host->end(d->host, true, "the guest reset");
}

static void power_destroy(struct device *d)
{
	free(d);
}

static const struct device_ops power_ops = {
	.read = power_read,
	.write = power_write,
	.destroy = power_destroy,
};

int power_create(struct device **out, struct device_host *host, uint16_t port)
{
	struct device *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	*d = (struct device){
		.ops = &power_ops,
		.host = host,
		.space = DEVICE_PIO,
		.base = port,
		.bytes = POWER_PORTS,
		.name = "power",
	};
	*out = d;
	return 0;
}
