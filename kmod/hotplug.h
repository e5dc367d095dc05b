/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Looking at struct page by page frame number, safe against memory that is
 * taken out of the machine.
 */
#ifndef UMIG_HOTPLUG_H
#define UMIG_HOTPLUG_H

struct page;

int umig_hotplug_init(void);
void umig_hotplug_exit(void);

/* Readers may sleep.  Lock order: this, the lease lock, the index lock. */
void umig_pages_lock(void);
void umig_pages_unlock(void);
struct page *umig_pfn_to_page(unsigned long pfn);

#endif
