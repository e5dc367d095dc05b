/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel's struct page says, through /proc/kcore: for kernels whose
 * /proc/kpageflags can't be believed.
 */
#ifndef KMOD_KCORE_H
#define KMOD_KCORE_H

#include <stdint.h>

/**
 * kcore_page_mapping() - page->mapping.
 * @pfn: of which frame.
 * @mapping: out; 0: there is no such page.
 *
 * Return: 0 or -errno: /proc/kcore or /proc/kallsyms don't tell.
 */
int kcore_page_mapping(uint64_t pfn, uint64_t *mapping);

#endif
