// SPDX-License-Identifier: GPL-2.0
/*
 * Making and ending a VM: see vm.h.
 */
#include "vmm/priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/log.h"
#include "mem/dirty_probe.h"
#include "vmm/devices.h"

#define MEMORY_UNIT (2ULL << 20)
#define MEMORY_MIN (4ULL << 20)
#define MEMORY_MAX (16ULL << 40)

static int check_config(const struct vm_config *c, struct err *err)
{
	const char *name = c->name ? c->name : "vm";

	if (c->memory_bytes % MEMORY_UNIT || c->memory_bytes < MEMORY_MIN ||
	    c->memory_bytes > MEMORY_MAX)
		return err_set(err, -EINVAL,
			       "%s: %llu bytes of memory: give a multiple of 2 MiB from 4 MiB to 16 TiB",
			       name, (unsigned long long)c->memory_bytes);
	if (c->cpus > VM_CPUS_MAX)
		return err_set(err, -EINVAL, "%s: %u vCPUs: give 1 to %d", name,
			       c->cpus, VM_CPUS_MAX);
	if (c->nr_disks > VM_DISKS_MAX)
		return err_set(err, -EINVAL, "%s: %u disks: at most %d", name,
			       c->nr_disks, VM_DISKS_MAX);
	if (c->dirty_ring_entries &&
	    (c->dirty_ring_entries & (c->dirty_ring_entries - 1) ||
	     c->dirty_ring_entries < DIRTY_RING_ENTRIES_MIN ||
	     c->dirty_ring_entries > DIRTY_RING_ENTRIES_MAX))
		return err_set(err, -EINVAL,
			       "%s: a dirty ring of %u entries: give a power of two from %d to %d",
			       name, c->dirty_ring_entries,
			       DIRTY_RING_ENTRIES_MIN, DIRTY_RING_ENTRIES_MAX);
	return 0;
}

static int copy_string(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static int copy_config(struct vm *vm, const struct vm_config *c)
{
	int ret = copy_string(&vm->name, c->name ? c->name : "vm");

	vm->memory_bytes = c->memory_bytes;
	vm->nr_vcpus = c->cpus ? c->cpus : 1;
	if (!ret)
		ret = copy_string(&vm->kernel, c->kernel);
	if (!ret)
		ret = copy_string(&vm->initrd, c->initrd);
	if (!ret)
		ret = copy_string(&vm->cmdline, c->cmdline ? c->cmdline :
				  VM_CMDLINE_DEFAULT);
	if (!ret)
		ret = copy_string(&vm->group, c->group);
	return ret;
}

/* "auto": what the probe says. */
static const struct dirty_ops *probed(struct vm *vm)
{
	struct dirty_probe p;
	struct err err = { 0 };

	if (dirty_probe_run(vm->kvm_fd, &p, &err)) {
		log_info("%s: dirty log: bitmap: %s", vm->name, err_text(&err));
		return &dirty_log_ops;
	}
	if (!dirty_probe_sound(&p)) {
		log_info("%s: dirty log: bitmap: this KVM's ring lost entries %llu times while a guest wrote %llu pages densely (probe: %llu ms)",
			 vm->name, (unsigned long long)p.overflows,
			 (unsigned long long)p.pages,
			 (unsigned long long)p.ns / 1000000);
		return &dirty_log_ops;
	}
	log_info("%s: dirty log: ring: %llu of %llu densely written pages logged, %llu times full (probe: %llu ms)",
		 vm->name, (unsigned long long)(p.pages - p.missed),
		 (unsigned long long)p.pages, (unsigned long long)p.ring_full,
		 (unsigned long long)p.ns / 1000000);
	return &dirty_ring_ops;
}

static const struct dirty_ops *choose_dirty(struct vm *vm, const char *how,
					    struct err *err)
{
	if (!how || !strcmp(how, "auto"))
		return probed(vm);
	if (!strcmp(how, "ring"))
		return &dirty_ring_ops;
	if (!strcmp(how, "bitmap"))
		return &dirty_log_ops;
	err_set(err, -EINVAL, "%s: dirty log \"%s\": give auto, ring or bitmap",
		vm->name, how);
	return NULL;
}

/* The parts of the VM that must exist before its first vCPU. */
static int make_board(struct vm *vm, struct err *err)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	struct kvm_enable_cap no_pmu = {
		.cap = KVM_CAP_PMU_CAPABILITY,
		.args = { KVM_PMU_CAP_DISABLE },
	};
	uint64_t identity = VM_IDENTITY_MAP;
	int ret;

	vm->vm_fd = kvm_create_vm(vm->kvm_fd, err);
	if (vm->vm_fd < 0)
		return vm->vm_fd;
	/* Its counters aren't migrated; older kernels can't say no. */
	if (kvm_has(vm->vm_fd, KVM_CAP_PMU_CAPABILITY))
		kvm_ioctl(vm->vm_fd, KVM_ENABLE_CAP, &no_pmu);
	ret = kvm_ioctl(vm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity);
	if (!ret)
		ret = kvm_ioctl_value(vm->vm_fd, KVM_SET_TSS_ADDR, VM_TSS_BASE);
	if (!ret)
		ret = kvm_ioctl_value(vm->vm_fd, KVM_CREATE_IRQCHIP, 0);
	if (!ret)
		ret = kvm_ioctl(vm->vm_fd, KVM_CREATE_PIT2, &pit);
	if (ret)
		return err_set(err, ret, "%s: KVM refuses the board: %s",
			       vm->name, strerror(-ret));
	return 0;
}

static int make_vcpus(struct vm *vm, const struct vm_config *c,
		      const struct dirty_ops *ops, struct err *err)
{
	int max = kvm_has(vm->vm_fd, KVM_CAP_MAX_VCPUS);
	struct cpuid_table table;
	int ret;

	if (max && vm->nr_vcpus > (unsigned int)max)
		return err_set(err, -EINVAL,
			       "%s: %u vCPUs: this host's KVM allows %d",
			       vm->name, vm->nr_vcpus, max);
	ret = dirty_init(&vm->dirty, ops, vm->vm_fd, &vm->slots,
			 c->dirty_ring_entries ? c->dirty_ring_entries :
			 DIRTY_RING_ENTRIES_DEFAULT, err);
	if (ret)
		return ret;
	vm->run_bytes = kvm_ioctl_value(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	ret = vcpus_create(vm, err);
	if (!ret)
		ret = cpuid_host(vm->kvm_fd, vm->nr_vcpus, &table, err);
	return ret ? ret : vm_set_cpuid(vm, &table, err);
}

static int build(struct vm *vm, const struct vm_config *c, struct err *err)
{
	const struct dirty_ops *ops;
	int ret = copy_config(vm, c);

	if (ret)
		return err_set(err, ret, "out of memory");
	vm->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->event_fd < 0)
		return err_set(err, -errno, "eventfd: %s", strerror(errno));
	vm->kvm_fd = kvm_open(err);
	if (vm->kvm_fd < 0)
		return vm->kvm_fd;
	ret = kvm_need_all(vm->kvm_fd, err);
	if (ret)
		return ret;
	ops = choose_dirty(vm, c->dirty, err);
	if (!ops)
		return -EINVAL;
	ret = make_board(vm, err);
	if (!ret)
		ret = vm_memory_alloc(vm, err);
	if (!ret)
		ret = make_vcpus(vm, c, ops, err);
	host_init(vm);
	return ret ? ret : devices_create(vm, c, err);
}

int vm_create(struct vm **out, const struct vm_config *config, struct err *err)
{
	struct vm *vm;
	int ret = check_config(config, err);

	if (ret)
		return ret;
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return err_set(err, -ENOMEM, "out of memory");
	vm->kvm_fd = -1;
	vm->vm_fd = -1;
	vm->event_fd = -1;
	vm->reasons = VM_PAUSE_SETUP;
	vm->at_rest = true;
	pthread_mutex_init(&vm->control, NULL);
	pthread_mutex_init(&vm->lock, NULL);
	throttle_init(vm);
	head_start_init(vm);
	ret = build(vm, config, err);
	if (ret)
		vm_destroy(vm);
	else
		*out = vm;
	return ret;
}

int vm_launch_incoming(struct vm *vm, struct err *err)
{
	if (vm->loaded || vm->incoming)
		return err_set(err, -EBUSY, "%s: something is loaded already",
			       vm->name);
	vm_memory_small(vm);
	vm->incoming = true;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

/*
 * vCPUs first, so that nothing reaches a device any more; then devices, which
 * may still write guest memory and raise interrupts; then what they need.
 */
void vm_destroy(struct vm *vm)
{
	if (!vm)
		return;
	throttle_exit(vm);
	head_start_exit(vm);
	vcpus_destroy(vm);
	bus_destroy(&vm->bus);
	dirty_exit(&vm->dirty);
	close_fd(vm->vm_fd);
	vm_memory_free(vm);
	close_fd(vm->kvm_fd);
	close_fd(vm->event_fd);
	pthread_cond_destroy(&vm->changed);
	pthread_mutex_destroy(&vm->lock);
	pthread_mutex_destroy(&vm->control);
	free(vm->group);
	free(vm->cmdline);
	free(vm->initrd);
	free(vm->kernel);
	free(vm->name);
	free(vm);
}

const char *vm_name(const struct vm *vm)
{
	return vm->name;
}

const char *vm_group(const struct vm *vm)
{
	return vm->group;
}

const struct memslots *vm_memory(const struct vm *vm)
{
	return &vm->slots;
}

bool vm_vcpu_counters(struct vm *vm, unsigned int vcpu,
		      struct vm_vcpu_counters *out)
{
	struct vcpu_counters *c;
	struct dirty_vcpu d;

	if (vcpu >= vm->nr_vcpus)
		return false;
	c = &vm->vcpu[vcpu].count;
	dirty_vcpu(&vm->dirty, vcpu, &d);
	*out = (struct vm_vcpu_counters){
		.dirtied = d.pages,
		.exits_ring_full = d.ring_full,
		.holds = atomic_load(&c->holds),
		.held_ns = atomic_load(&c->held_ns),
		.held_longest_ns = atomic_load(&c->held_longest_ns),
	};
	return true;
}

void vm_counters(struct vm *vm, struct vm_counters *out)
{
	struct dirty_counters d;
	struct vcpu *v;

	dirty_counters(&vm->dirty, &d);
	*out = (struct vm_counters){
		.exits_ring_full = d.ring_full,
		.ring_harvested = d.ring_harvested,
		.ring_resets = d.ring_resets,
		.ring_overflows = d.ring_overflows,
		.log_gets = d.log_gets,
		.device_marked = d.device_marked,
		.harvests = d.harvests,
		.harvested_pages = d.harvested_pages,
	};
	for (v = vm->vcpu; v < vm->vcpu + vm->nr_vcpus; v++) {
		out->exits += atomic_load(&v->count.exits);
		out->exits_io += atomic_load(&v->count.io);
		out->exits_mmio += atomic_load(&v->count.mmio);
		out->exits_intr += atomic_load(&v->count.intr);
		out->exits_other += atomic_load(&v->count.other);
	}
}
