/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where no page is mapped.
 */
#ifndef UMIG_HOLE_H
#define UMIG_HOLE_H

#include <linux/types.h>

u32 umig_hole_pages(unsigned long addr, u32 nr);

#endif
