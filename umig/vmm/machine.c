// SPDX-License-Identifier: GPL-2.0
/*
 * The machine as two hosts compare it before a migration, and the CPU model
 * as the destination adopts it.
 */
#include "vmm/priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Changes when a guest could tell: interrupt routing, ACPI tables, ... */
#define MACHINE_TYPE "umig-1"

int vm_machine(struct vm *vm, struct machine *out)
{
	int ret = machine_set(out, "machine", "%s", MACHINE_TYPE);

	if (!ret)
		ret = machine_set(out, "memory", "%llu",
				  (unsigned long long)vm->memory_bytes);
	if (!ret)
		ret = machine_set(out, "cpus", "%u", vm->nr_vcpus);
	if (!ret && vm->group)
		ret = machine_set(out, MACHINE_GROUP, "%s", vm->group);
	if (!ret)
		ret = bus_describe(&vm->bus, out);
	if (!ret)
		ret = machine_set_cpuid(out, vm->cpuid.entry, vm->cpuid.nr *
					sizeof(*vm->cpuid.entry));
	return ret;
}

int vm_set_cpuid(struct vm *vm, const struct cpuid_table *table,
		 struct err *err)
{
	struct cpuid_table own;
	struct kvm_cpuid2 *list;
	unsigned int i;
	int ret = 0;

	list = calloc(1, sizeof(*list) + sizeof(own.entry));
	if (!list)
		return err_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < vm->nr_vcpus && !ret; i++) {
		cpuid_for_vcpu(table, i, &own);
		list->nent = own.nr;
		memcpy(list->entries, own.entry, own.nr * sizeof(*own.entry));
		ret = kvm_ioctl(vm->vcpu[i].fd, KVM_SET_CPUID2, list);
	}
	free(list);
	if (ret)
		return err_set(err, ret, "%s: KVM refuses the CPU model: %s",
			       vm->name, strerror(-ret));
	vm->cpuid = *table;
	return 0;
}

static int adopt_cpuid(struct vm *vm, const struct machine *source,
		       struct err *err)
{
	struct cpuid_table table, here;
	int ret = cpuid_parse(source->cpuid, source->cpuid_bytes, &table);

	if (ret)
		return err_set(err, ret, "the source's CPUID table is malformed");
	ret = cpuid_host(vm->kvm_fd, vm->nr_vcpus, &here, err);
	if (!ret)
		ret = cpuid_compatible(&table, &here, err);
	return ret ? ret : vm_set_cpuid(vm, &table, err);
}

int vm_machine_accept(struct vm *vm, const struct machine *source,
		      struct err *err)
{
	struct machine here = { 0 };
	int ret = vm_machine(vm, &here);

	if (ret)
		err_set(err, ret, "%s: the machine can't be described: %s",
			vm->name, strerror(-ret));
	else
		ret = machine_compare(source, &here, err);
	machine_free(&here);
	return ret ? ret : adopt_cpuid(vm, source, err);
}
