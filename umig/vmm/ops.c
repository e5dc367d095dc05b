// SPDX-License-Identifier: GPL-2.0
/*
 * The VM as the engine sees it: &struct vm_ops over vm.h.
 */
#include "vmm/priv.h"

#include <errno.h>

static const struct memslots *ops_memory(void *vm)
{
	return vm_memory(vm);
}

static int ops_machine(void *vm, struct machine *out)
{
	return vm_machine(vm, out);
}

static int ops_machine_accept(void *vm, const struct machine *source,
			      struct err *err)
{
	return vm_machine_accept(vm, source, err);
}

/*
 * Disks are given back here already, not at GO: the destination may run on the
 * same storage as soon as it is told to, and taking them back, should it come
 * to that, then finds out whether it did.
 */
static int ops_stop(void *arg, struct err *err)
{
	struct vm *vm = arg;
	int ret;

	throttle_stop(vm);
	pthread_mutex_lock(&vm->control);
	ret = vm_pause_locked(vm, VM_PAUSE_MIGRATION, err);
	if (!ret)
		bus_release(&vm->bus);
	pthread_mutex_unlock(&vm->control);
	return ret;
}

static int ops_start(void *arg, struct err *err)
{
	struct vm *vm = arg;
	int ret;

	pthread_mutex_lock(&vm->control);
	/* A guest that stays paused has its disks all the same. */
	ret = bus_acquire(&vm->bus, err);
	if (!ret)
		ret = vm_resume_locked(vm, VM_PAUSE_MIGRATION | VM_PAUSE_SETUP,
				       err);
	/* Whoever hears that it did not start needs them now. */
	if (ret)
		bus_release(&vm->bus);
	pthread_mutex_unlock(&vm->control);
	return ret;
}

static int ops_dirty_start(void *arg, struct err *err)
{
	struct vm *vm = arg;

	return dirty_start(&vm->dirty, err);
}

static int ops_dirty_harvest(void *arg, vm_dirty_fn *fn, void *fn_arg)
{
	struct vm *vm = arg;

	return dirty_harvest(&vm->dirty, fn, fn_arg);
}

static void ops_dirty_stop(void *arg)
{
	struct vm *vm = arg;

	throttle_stop(vm);
	dirty_stop(&vm->dirty);
}

static const char *ops_dirty_source(void *arg)
{
	struct vm *vm = arg;

	return vm->dirty.ops->name;
}

static int ops_state_save(void *arg, struct buf *out, struct err *err)
{
	struct vm *vm = arg;
	int ret;

	pthread_mutex_lock(&vm->control);
	ret = vm->at_rest ? vm_state_save(vm, out, err) :
	      err_set(err, -EBUSY, "%s: the guest runs", vm->name);
	pthread_mutex_unlock(&vm->control);
	return ret;
}

static int ops_state_load(void *arg, const void *data, size_t bytes,
			  struct err *err)
{
	struct vm *vm = arg;
	int ret;

	pthread_mutex_lock(&vm->control);
	ret = vm->at_rest ? vm_state_load(vm, data, bytes, err) :
	      err_set(err, -EBUSY, "%s: the guest runs", vm->name);
	pthread_mutex_unlock(&vm->control);
	return ret;
}

static int ops_prepare(void *arg, struct err *err)
{
	struct vm *vm = arg;
	int ret;

	pthread_mutex_lock(&vm->control);
	ret = vm->loaded ? bus_check(&vm->bus, err) :
	      err_set(err, -ENOEXEC, "%s: no state was loaded", vm->name);
	pthread_mutex_unlock(&vm->control);
	return ret;
}

static int ops_throttle(void *arg, uint64_t pages_s, unsigned int floor)
{
	struct vm *vm = arg;

	if (vm->dirty.ops != &dirty_ring_ops)
		return -EOPNOTSUPP;
	if (pages_s)
		return throttle_start(vm, pages_s, floor);
	throttle_stop(vm);
	return 0;
}

const struct vm_ops vm_ops_kvm = {
	.memory = ops_memory,
	.machine = ops_machine,
	.machine_accept = ops_machine_accept,
	.stop = ops_stop,
	.start = ops_start,
	.dirty_start = ops_dirty_start,
	.dirty_harvest = ops_dirty_harvest,
	.dirty_stop = ops_dirty_stop,
	.dirty_source = ops_dirty_source,
	.state_save = ops_state_save,
	.state_load = ops_state_load,
	.prepare = ops_prepare,
	.throttle = ops_throttle,
};
