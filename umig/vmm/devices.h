/* SPDX-License-Identifier: GPL-2.0 */
/* Which devices a VM has: the one place that knows them all. */
#ifndef UMIG_VMM_DEVICES_H
#define UMIG_VMM_DEVICES_H

#include "vmm/priv.h"

/** devices_create() - Put the configured devices on the VM's bus. */
int devices_create(struct vm *vm, const struct vm_config *config,
		   struct err *err);

#endif
