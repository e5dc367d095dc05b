/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /dev/kvm: opening it, asking it for abilities, and saying in words why it
 * refuses.  Everything else that talks to KVM goes through kvm_ioctl().
 */
#ifndef UMIG_LIB_KVM_H
#define UMIG_LIB_KVM_H

#include <linux/kvm.h>
#include <stdint.h>

#include "lib/err.h"

/* Newer than the uapi headers that we build against. */
#ifndef KVM_CLOCK_REALTIME
#define KVM_CLOCK_REALTIME (1 << 2)
#endif
#ifndef KVM_CLOCK_HOST_TSC
#define KVM_CLOCK_HOST_TSC (1 << 3)
#endif

/** kvm_open() - /dev/kvm, or -errno with the remedy in @err. */
int kvm_open(struct err *err);

/** kvm_ioctl() - ioctl(2) that returns -errno and goes on after EINTR. */
int kvm_ioctl(int fd, unsigned long request, const void *arg);

/** kvm_ioctl_value() - The same for requests whose argument is a number. */
int kvm_ioctl_value(int fd, unsigned long request, unsigned long value);

/** kvm_has() - KVM_CHECK_EXTENSION: 0 if absent. */
int kvm_has(int fd, int capability);

/**
 * kvm_need_all() - Check for everything that this VMM can't do without.
 *
 * Return: 0, or -EOPNOTSUPP naming the first missing capability.
 */
int kvm_need_all(int kvm_fd, struct err *err);

/** kvm_create_vm() - A VM's descriptor. */
int kvm_create_vm(int kvm_fd, struct err *err);

/** kvm_set_flat32() - vCPU registers: protected mode, flat, at @eip. */
int kvm_set_flat32(int vcpu_fd, uint32_t eip);

/** kvm_set_real16() - vCPU registers: real mode, at 0:@ip. */
int kvm_set_real16(int vcpu_fd, uint16_t ip);

#endif
