/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Module parameters that are read outside of main.c; those that may be written
 * at run time are read with READ_ONCE().
 */
#ifndef UMIG_PARAMS_H
#define UMIG_PARAMS_H

#include <linux/types.h>

extern bool umig_share;
extern unsigned int umig_lease_ttl_ms;
extern unsigned int umig_lease_grace_ms;
extern unsigned int umig_leases_per_file;
extern unsigned int umig_leases_per_uid;
extern unsigned int umig_leases_total;
extern unsigned int umig_confirm_rate;
extern unsigned int umig_members_total;

#endif
