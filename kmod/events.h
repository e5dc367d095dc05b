/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events: what an open file's owner should know without asking all the time.
 */
#ifndef UMIG_EVENTS_H
#define UMIG_EVENTS_H

#include <linux/poll.h>
#include <linux/types.h>

struct umig_ucmd;

/** struct umig_seen - What an open file has been told last. */
struct umig_seen {
	u64 generation;
	u32 mode;
};

void umig_seen_init(struct umig_seen *seen);
void umig_events_wake(void);

int umig_ioctl_events(struct umig_ucmd *ucmd);
__poll_t umig_events_poll(struct file *file, poll_table *wait);

#endif
