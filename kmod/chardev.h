/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /dev/umig: an open file, and an ioctl on its way to its handler.
 */
#ifndef UMIG_CHARDEV_H
#define UMIG_CHARDEV_H

#include <linux/fs.h>
#include <linux/types.h>

#include "account.h"
#include "events.h"
#include "group.h"
#include "lease.h"

/* Items of one call: what a handler allocates is bounded by it. */
#define UMIG_MAX_BATCH	1024

/** struct umig_file - What belongs to an open file. */
struct umig_file {
	struct umig_account *account;
	struct umig_leases leases;
	struct umig_group group;
	struct umig_seen seen;
};

/**
 * struct umig_ucmd - A running ioctl.
 * @file: on which file.
 * @arg: the argument in the caller's memory.
 * @user_size: how much of the argument the caller knows.
 * @cmd: the module's copy of it, as long as this module knows it: zero where
 *	the caller's is shorter.
 * @cmd_size: its length.
 */
struct umig_ucmd {
	struct umig_file *file;
	void __user *arg;
	u32 user_size;
	void *cmd;
	u32 cmd_size;
};

int umig_ucmd_respond(struct umig_ucmd *ucmd);

int umig_chardev_init(void);
void umig_chardev_exit(void);

/* Handlers, by the file that they are in. */
int umig_ioctl_range(struct umig_ucmd *ucmd);		/* query.c */
int umig_ioctl_confirm(struct umig_ucmd *ucmd);		/* confirm.c */
int umig_ioctl_release(struct umig_ucmd *ucmd);		/* confirm.c */
int umig_ioctl_fill(struct umig_ucmd *ucmd);		/* fill.c */
int umig_ioctl_share(struct umig_ucmd *ucmd);		/* share.c */
int umig_ioctl_join(struct umig_ucmd *ucmd);		/* group.c */
ssize_t umig_export_read(struct file *file, char __user *buf, size_t len,
			 loff_t *pos);			/* export.c */

#endif
