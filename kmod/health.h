/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Are the hooks alive?  And the clock of what happens every second.
 */
#ifndef UMIG_HEALTH_H
#define UMIG_HEALTH_H

#include <linux/types.h>

int umig_health_init(void);
void umig_health_do_without(void);
void umig_health_start(void);
void umig_health_stop(void);
void umig_health_exit(void);

bool umig_health_check(void);

#endif
