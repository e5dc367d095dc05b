/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /sys/class/misc/umig: what INFO and STAT tell, as files.
 */
#ifndef UMIG_SYSFS_H
#define UMIG_SYSFS_H

struct attribute_group;

/* For the device; they go with it. */
extern const struct attribute_group *umig_sysfs_groups[];

#endif
