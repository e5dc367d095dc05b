// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/kvm: see kvm.h.
 */
#include "lib/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define KVM_API 12

static int open_failed(int code, struct err *err)
{
	switch (code) {
	case -ENOENT:
	case -ENXIO:
	case -ENODEV:
		return err_set(err, code,
			       "/dev/kvm: %s: load kvm-amd or kvm-intel (is virtualization enabled in the firmware?)",
			       strerror(-code));
	case -EACCES:
	case -EPERM:
		return err_set(err, code,
			       "/dev/kvm: %s: run as root or as a member of the group that owns it (usually kvm)",
			       strerror(-code));
	default:
		return err_set(err, code, "/dev/kvm: %s", strerror(-code));
	}
}

int kvm_open(struct err *err)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int api;

	if (fd < 0)
		return open_failed(-errno, err);
	api = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (api != KVM_API) {
		close(fd);
		return err_set(err, -EOPNOTSUPP,
			       "/dev/kvm speaks API version %d, not %d: it isn't a KVM that umig knows",
			       api, KVM_API);
	}
	return fd;
}

int kvm_ioctl(int fd, unsigned long request, const void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, request, arg);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

int kvm_ioctl_value(int fd, unsigned long request, unsigned long value)
{
	return kvm_ioctl(fd, request, (const void *)value);
}

int kvm_has(int fd, int capability)
{
	int ret = kvm_ioctl_value(fd, KVM_CHECK_EXTENSION, capability);

	return ret > 0 ? ret : 0;
}

#define NEED(cap) { cap, #cap }
static const struct need {
	int capability;
	const char *name;
} needed[] = {
	NEED(KVM_CAP_USER_MEMORY),
	NEED(KVM_CAP_IRQCHIP),
	NEED(KVM_CAP_PIT2),
	NEED(KVM_CAP_PIT_STATE2),
	NEED(KVM_CAP_SET_TSS_ADDR),
	NEED(KVM_CAP_SET_IDENTITY_MAP_ADDR),
	NEED(KVM_CAP_EXT_CPUID),
	NEED(KVM_CAP_MP_STATE),
	NEED(KVM_CAP_VCPU_EVENTS),
	NEED(KVM_CAP_DEBUGREGS),
	NEED(KVM_CAP_SREGS2),
	NEED(KVM_CAP_XSAVE),
	NEED(KVM_CAP_XCRS),
	NEED(KVM_CAP_ADJUST_CLOCK),
	NEED(KVM_CAP_GET_TSC_KHZ),
	NEED(KVM_CAP_IOEVENTFD),
	NEED(KVM_CAP_IMMEDIATE_EXIT),
};

int kvm_need_all(int kvm_fd, struct err *err)
{
	const struct need *n;

	for (n = needed; n < needed + sizeof(needed) / sizeof(*needed); n++)
		if (!kvm_has(kvm_fd, n->capability))
			return err_set(err, -EOPNOTSUPP,
				       "this host's KVM lacks %s: a newer kernel is needed",
				       n->name);
	return 0;
}

int kvm_create_vm(int kvm_fd, struct err *err)
{
	int fd = kvm_ioctl_value(kvm_fd, KVM_CREATE_VM, 0);

	if (fd < 0)
		return err_set(err, fd,
			       "KVM refuses to create a VM: %s%s",
			       strerror(-fd), fd == -EBUSY ?
			       ": another hypervisor uses the CPU's virtualization" :
			       "");
	return fd;
}

static void flat_segment(struct kvm_segment *s, uint16_t selector,
			 uint8_t type)
{
	*s = (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1,
	};
}

static int set_ip(int vcpu_fd, uint64_t ip)
{
	struct kvm_regs regs = { .rip = ip, .rflags = 2 };

	return kvm_ioctl(vcpu_fd, KVM_SET_REGS, &regs);
}

int kvm_set_flat32(int vcpu_fd, uint32_t eip)
{
	struct kvm_sregs sregs = { 0 };
	int ret = kvm_ioctl(vcpu_fd, KVM_GET_SREGS, &sregs);

	if (ret)
		return ret;
	flat_segment(&sregs.cs, 8, 0xb);	/* code, accessed */
	flat_segment(&sregs.ds, 16, 0x3);	/* data, accessed */
	sregs.es = sregs.ds;
	sregs.fs = sregs.ds;
	sregs.gs = sregs.ds;
	sregs.ss = sregs.ds;
	sregs.cr0 |= 1;				/* PE */
	ret = kvm_ioctl(vcpu_fd, KVM_SET_SREGS, &sregs);
	return ret ? ret : set_ip(vcpu_fd, eip);
}

int kvm_set_real16(int vcpu_fd, uint16_t ip)
{
	struct kvm_sregs sregs = { 0 };
	int ret = kvm_ioctl(vcpu_fd, KVM_GET_SREGS, &sregs);

	if (ret)
		return ret;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	ret = kvm_ioctl(vcpu_fd, KVM_SET_SREGS, &sregs);
	return ret ? ret : set_ip(vcpu_fd, ip);
}
