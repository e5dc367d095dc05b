/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Another process's memory, by an open /proc/PID/mem.
 */
#ifndef UMIG_PROCMEM_H
#define UMIG_PROCMEM_H

struct mm_struct;

void umig_procmem_init(void);
struct mm_struct *umig_procmem_get(int fd);
int umig_procmem_run(struct mm_struct *mm, int (*fn)(void *arg), void *arg);

#endif
