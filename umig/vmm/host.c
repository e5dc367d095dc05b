// SPDX-License-Identifier: GPL-2.0
/*
 * What devices may do to this VM: &struct device_host over KVM.
 */
#include "vmm/priv.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static struct vm *vm_of(struct device_host *host)
{
	return (struct vm *)((char *)host - offsetof(struct vm, host));
}

/*
 * KVM_IRQ_LINE and not an irqfd: the latter injects from a worker, which a
 * migration's stop couldn't wait for.
 */
static void host_irq(struct device_host *host, unsigned int gsi, bool level)
{
	struct kvm_irq_level irq = { .irq = gsi, .level = level };
	struct vm *vm = vm_of(host);
	int ret = kvm_ioctl(vm->vm_fd, KVM_IRQ_LINE, &irq);

	if (ret)
		vm_end(vm, VM_STATE_CRASHED, false, "interrupt %u: %s", gsi,
		       strerror(-ret));
}

static int host_notify_fd(struct device_host *host, int fd, uint64_t gpa,
			  uint32_t value)
{
	struct kvm_ioeventfd notify = {
		.datamatch = value,
		.addr = gpa,
		.len = sizeof(value),
		.fd = fd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	};

	return kvm_ioctl(vm_of(host)->vm_fd, KVM_IOEVENTFD, &notify);
}

static void host_end(struct device_host *host, bool reset, const char *why)
{
	vm_end(vm_of(host), VM_STATE_SHUTDOWN, reset, "%s", why);
}

static void host_fail(struct device_host *host, const char *why)
{
	vm_end(vm_of(host), VM_STATE_CRASHED, false, "%s", why);
}

void host_init(struct vm *vm)
{
	vm->host = (struct device_host){
		.mem = { .slots = &vm->slots, .dirty = &vm->dirty },
		.irq = host_irq,
		.notify_fd = host_notify_fd,
		.end = host_end,
		.fail = host_fail,
	};
}
