/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Migration events on their way from the engine's thread to the thread that
 * owns the VM's process: a small queue and an eventfd to wait on.
 */
#ifndef UMIG_CONTROL_MAILBOX_H
#define UMIG_CONTROL_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>

#include "migrate/migrate.h"

#define MAILBOX_REPORTS 16

/**
 * struct mailbox - mailbox_open() it.
 * @fd: readable while something is in it.  Immutable.
 * @lock: for what follows.
 * @nr: reports queued.
 * @report: oldest first.
 */
struct mailbox {
	int fd;
	pthread_mutex_t lock;
	unsigned int nr;
	struct migrate_report report[MAILBOX_REPORTS];
};

int mailbox_open(struct mailbox *box);
void mailbox_close(struct mailbox *box);

/**
 * mailbox_put() - Queue a copy; a &migrate_event_fn, @arg is the mailbox.
 *
 * Never fails and never waits for the reader: when it is full the newest
 * replaces the one before, so that the last word always arrives.
 */
void mailbox_put(void *arg, const struct migrate_report *report);

/** mailbox_take() - The oldest; false if it is empty. */
bool mailbox_take(struct mailbox *box, struct migrate_report *out);

#endif
