// SPDX-License-Identifier: GPL-2.0
/*
 * Migration events between threads: see mailbox.h.
 */
#include "control/mailbox.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mailbox_open(struct mailbox *box)
{
	box->nr = 0;
	box->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (box->fd < 0)
		return -errno;
	pthread_mutex_init(&box->lock, NULL);
	return 0;
}

void mailbox_close(struct mailbox *box)
{
	if (box->fd < 0)
		return;
	close(box->fd);
	box->fd = -1;
	pthread_mutex_destroy(&box->lock);
}

void mailbox_put(void *arg, const struct migrate_report *report)
{
	struct mailbox *box = arg;

	pthread_mutex_lock(&box->lock);
	if (box->nr == MAILBOX_REPORTS)
		box->nr--;
	box->report[box->nr++] = *report;
	pthread_mutex_unlock(&box->lock);
	eventfd_write(box->fd, 1);
}

bool mailbox_take(struct mailbox *box, struct migrate_report *out)
{
	eventfd_t ignored;
	bool any;

	pthread_mutex_lock(&box->lock);
	any = box->nr > 0;
	if (any) {
		*out = box->report[0];
		memmove(&box->report[0], &box->report[1],
			--box->nr * sizeof(box->report[0]));
	}
	if (!box->nr)
		eventfd_read(box->fd, &ignored);
	pthread_mutex_unlock(&box->lock);
	return any;
}
