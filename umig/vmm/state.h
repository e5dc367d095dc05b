/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Machine state, the parts: each saves to a buffer and loads from a bounded
 * reader.  Loaders return -EBADMSG for what is malformed and -errno with words
 * in @err for what KVM refuses.  vCPUs at rest, &vm.control held.
 */
#ifndef UMIG_VMM_STATE_H
#define UMIG_VMM_STATE_H

#include "vmm/priv.h"

/* state_vcpu.c */
int state_vcpu_save(struct vcpu *v, struct buf *out, struct err *err);
int state_vcpu_load(struct vcpu *v, struct reader *in, struct err *err);

/* state_msrs.c */
int state_msrs_save(struct vcpu *v, struct buf *out, struct err *err);
int state_msrs_load(struct vcpu *v, struct reader *in, struct err *err);

/* state_board.c */
int state_irqchip_save(struct vm *vm, struct buf *out, struct err *err);
int state_irqchip_load(struct vm *vm, struct reader *in, struct err *err);
int state_pit_save(struct vm *vm, struct buf *out, struct err *err);
int state_pit_load(struct vm *vm, struct reader *in, struct err *err);
int state_clock_save(struct vm *vm, struct buf *out, struct err *err);
int state_clock_load(struct vm *vm, struct reader *in, struct err *err);

/** state_refused() - KVM's answer to @what in words. */
static inline int state_refused(int ret, const char *what, struct err *err)
{
	return ret < 0 ? err_set(err, ret, "KVM refuses %s", what) : 0;
}

#endif
