// SPDX-License-Identifier: GPL-2.0
/*
 * A keyboard controller without a keyboard: see i8042.h.
 */
#include "vmm/i8042.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * The keyboard controller's status: its input is never full, so that a driver
 * that wants to send the reset command needn't wait; its output never runs
 * empty, which makes a driver that looks for a controller give up at once.
 */
#define I8042_STATUS 0xfd

static void i8042_read(struct device *d, uint64_t offset, uint8_t *data,
		       unsigned int len)
{
	(void)d;
	(void)offset;
	memset(data, I8042_STATUS, len);
}

static void i8042_write(struct device *d, uint64_t offset, const uint8_t *data,
			unsigned int len)
{
	(void)offset;
	(void)len;
	if (data[0] == I8042_RESET)
		d->host->end(d->host, true, "the guest reset");
}

static void i8042_destroy(struct device *d)
{
	free(d);
}

static const struct device_ops i8042_ops = {
	.read = i8042_read,
	.write = i8042_write,
	.destroy = i8042_destroy,
};

int i8042_create(struct device **out, struct device_host *host)
{
	struct device *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	*d = (struct device){
		.ops = &i8042_ops,
		.host = host,
		.space = DEVICE_PIO,
		.base = I8042_COMMAND_PORT,
		.bytes = 1,
		.name = "i8042",
	};
	*out = d;
	return 0;
}
