// SPDX-License-Identifier: GPL-2.0
/*
 * Raw code in place of a kernel: see vm_boot_flat().
 */
#include "vmm/priv.h"

#include <errno.h>
#include <string.h>

int vm_boot_flat(struct vm *vm, const void *code, size_t bytes, uint64_t gpa,
		 enum vm_flat_mode mode, struct err *err)
{
	uint64_t limit = mode == VM_FLAT_REAL16 ? 1ULL << 16 : 1ULL << 32;
	int ret;

	if (vm->loaded || vm->incoming)
		return err_set(err, -EBUSY, "%s: something is loaded already",
			       vm->name);
	if (gpa >= limit)
		return err_set(err, -EINVAL,
			       "%s: code at 0x%llx can't be reached", vm->name,
			       (unsigned long long)gpa);
	ret = guest_write(&vm->host.mem, gpa, code, bytes);
	if (!ret)
		ret = mode == VM_FLAT_REAL16 ?
		      kvm_set_real16(vm->vcpu[0].fd, gpa) :
		      kvm_set_flat32(vm->vcpu[0].fd, gpa);
	if (ret)
		return err_set(err, ret, "%s: code at 0x%llx: %s", vm->name,
			       (unsigned long long)gpa, strerror(-ret));
	vm->loaded = true;
	return 0;
}
