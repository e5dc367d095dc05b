/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The worker: takes what the hooks have queued, scans memory, hashes pages.
 */
#ifndef UMIG_HASHER_H
#define UMIG_HASHER_H

#include <linux/types.h>

int umig_hasher_init(void);
int umig_hasher_take_stock(void);
int umig_hasher_start(void);
void umig_hasher_stop(void);
void umig_hasher_exit(void);

/* From any context, hooks included. */
void umig_hasher_kick(void);
void umig_hasher_want_scan(void);

u64 umig_hasher_backlog(void);
unsigned long umig_hasher_scan_jiffies(void);

#endif
