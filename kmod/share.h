/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SHARE; see share.c.
 */
#ifndef UMIG_SHARE_H
#define UMIG_SHARE_H

#include <linux/types.h>

bool umig_share_works(void);

#endif
