/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel's struct page says, through /proc/kcore: for kernels whose
 * /proc/kpageflags can't be believed.
 */
#ifndef KMOD_KCORE_H
#define KMOD_KCORE_H

#include <stdint.h>

/** kcore_page_mapping() - page->mapping of a frame number; 0: no such page. */
uint64_t kcore_page_mapping(uint64_t pfn);

#endif
