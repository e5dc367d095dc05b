// SPDX-License-Identifier: GPL-2.0
/*
 * Whether the VM runs: pause reasons, final states, and the order in which
 * vCPUs and devices come to rest and go on.  vm.h tells what is promised.
 *
 *	rest:	vCPUs parked ─▶ devices quiesced
 *	go on:	devices acquired ─▶ devices resumed ─▶ vCPUs released
 */
#include "vmm/priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

static void tell(struct vm *vm)
{
	eventfd_write(vm->event_fd, 1);
}

void vm_end(struct vm *vm, enum vm_state final, bool reset, const char *fmt,
	    ...)
{
	va_list ap;

	pthread_mutex_lock(&vm->lock);
	if (!vm->final) {
		vm->final = final;
		vm->reset = reset;
		va_start(ap, fmt);
		vsnprintf(vm->why, sizeof(vm->why), fmt, ap);
		va_end(ap);
	}
	vm->go = false;
	vcpus_kick(vm);
	pthread_mutex_unlock(&vm->lock);
	tell(vm);
}

static int ended(struct vm *vm, struct err *err)
{
	return err_set(err, -ESHUTDOWN, "%s: %s", vm->name, vm->why);
}

int vm_pause_locked(struct vm *vm, unsigned int reason, struct err *err)
{
	bool final;
	int ret;

	pthread_mutex_lock(&vm->lock);
	vm->reasons |= reason;
	vm->go = false;
	vcpus_kick(vm);
	while (vm->nr_parked < vm->nr_vcpus)
		pthread_cond_wait(&vm->changed, &vm->lock);
	final = vm->final;
	pthread_mutex_unlock(&vm->lock);

	/* Again even if at rest: a flush that failed goes on failing. */
	ret = bus_quiesce(&vm->bus, err);
	vm->at_rest = true;
	tell(vm);
	if (ret)
		return ret;
	return final ? ended(vm, err) : 0;
}

/*
 * Tell guests with a kvmclock that they were stopped, so that their watchdogs
 * don't bark.  Those without refuse; that is fine.
 */
static void tell_clocks(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr_vcpus; i++)
		kvm_ioctl(vm->vcpu[i].fd, KVM_KVMCLOCK_CTRL, NULL);
}

static int go_on(struct vm *vm, struct err *err)
{
	int ret;

	if (!vm->loaded)
		return err_set(err, -ENOEXEC,
			       "%s: there is nothing in the VM to run yet",
			       vm->name);
	ret = bus_acquire(&vm->bus, err);
	if (ret)
		return ret;
	if (vm->incoming) {
		vm_memory_default(vm);
		head_start(vm);
	}
	vm->incoming = false;
	tell_clocks(vm);
	if (vm->at_rest)
		bus_resume(&vm->bus);
	vm->at_rest = false;
	return 0;
}

int vm_resume_locked(struct vm *vm, unsigned int reason, struct err *err)
{
	unsigned int left;
	bool final, going;
	int ret = 0;

	pthread_mutex_lock(&vm->lock);
	left = vm->reasons & ~reason;
	final = vm->final;
	going = vm->go;
	pthread_mutex_unlock(&vm->lock);
	if (final)
		return ended(vm, err);
	if (!left && !going)
		ret = go_on(vm, err);
	if (ret)
		return ret;

	pthread_mutex_lock(&vm->lock);
	vm->reasons = left;
	vm->go = !left && !vm->final;
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
	tell(vm);
	return 0;
}

int vm_pause(struct vm *vm, enum vm_pause_reason reason, struct err *err)
{
	int ret;

	pthread_mutex_lock(&vm->control);
	ret = vm_pause_locked(vm, reason, err);
	pthread_mutex_unlock(&vm->control);
	return ret;
}

int vm_resume(struct vm *vm, enum vm_pause_reason reason, struct err *err)
{
	int ret;

	pthread_mutex_lock(&vm->control);
	ret = vm_resume_locked(vm, reason, err);
	pthread_mutex_unlock(&vm->control);
	return ret;
}

int vm_start(struct vm *vm, struct err *err)
{
	return vm_resume(vm, VM_PAUSE_SETUP, err);
}

void vm_status(struct vm *vm, struct vm_status *out)
{
	pthread_mutex_lock(&vm->lock);
	*out = (struct vm_status){
		.state = vm->final ? vm->final :
			 vm->reasons ? VM_STATE_PAUSED : VM_STATE_RUNNING,
		.reasons = vm->reasons,
		.reset = vm->reset,
	};
	memcpy(out->why, vm->why, sizeof(out->why));
	pthread_mutex_unlock(&vm->lock);
}

int vm_event_fd(struct vm *vm)
{
	return vm->event_fd;
}
