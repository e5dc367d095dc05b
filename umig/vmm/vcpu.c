// SPDX-License-Identifier: GPL-2.0
/*
 * vCPU threads.  Each is parked until &vm.go, then loops in KVM_RUN and hands
 * exits to the bus; when &vm.go ends it completes what is half done and parks.
 *
 * A kick sets immediate_exit, then sends VM_KICK_SIGNAL: a thread that is
 * about to enter KVM_RUN finds the flag, one that is inside gets the signal.
 * The flag is set and cleared under &vm.lock, so that a kick can't be undone
 * by a thread that has yet to see why it was kicked.
 */
#include "vmm/priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"

static void count(atomic_ullong *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void handle_io(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	uint32_t i;

	count(&v->count.io);
	for (i = 0; i < run->io.count; i++, data += run->io.size)
		bus_access(&v->vm->bus, DEVICE_PIO, run->io.port, data,
			   run->io.size,
			   run->io.direction == KVM_EXIT_IO_OUT);
}

static void handle_mmio(struct vcpu *v)
{
	count(&v->count.mmio);
	bus_access(&v->vm->bus, DEVICE_MMIO, v->run->mmio.phys_addr,
		   v->run->mmio.data, v->run->mmio.len, v->run->mmio.is_write);
}

static void handle_ring_full(struct vcpu *v)
{
	int ret = dirty_full(&v->vm->dirty, v->id);

	if (ret)
		vm_end(v->vm, VM_STATE_CRASHED, false,
		       "vCPU %u: the dirty ring can't be emptied: %s", v->id,
		       strerror(-ret));
}

static void handle_system_event(struct vcpu *v)
{
	uint32_t type = v->run->system_event.type;

	if (type == KVM_SYSTEM_EVENT_SHUTDOWN || type == KVM_SYSTEM_EVENT_RESET)
		vm_end(v->vm, VM_STATE_SHUTDOWN,
		       type == KVM_SYSTEM_EVENT_RESET, "the guest %s",
		       type == KVM_SYSTEM_EVENT_RESET ? "reset" :
		       "powered off");
	else
		vm_end(v->vm, VM_STATE_CRASHED, false,
		       "vCPU %u: the guest crashed (system event %u)", v->id,
		       type);
}

static void handle_internal_error(struct vcpu *v)
{
	struct kvm_regs regs = { 0 };

	kvm_ioctl(v->fd, KVM_GET_REGS, &regs);
	vm_end(v->vm, VM_STATE_CRASHED, false,
	       "vCPU %u: KVM internal error %u at rip 0x%llx%s", v->id,
	       v->run->internal.suberror, (unsigned long long)regs.rip,
	       v->run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION ?
	       ": an instruction that it can't emulate" : "");
}

static void handle_exit(struct vcpu *v)
{
	switch (v->run->exit_reason) {
	case KVM_EXIT_IO:
		return handle_io(v);
	case KVM_EXIT_MMIO:
		return handle_mmio(v);
	case KVM_EXIT_INTR:
		return count(&v->count.intr);
	case KVM_EXIT_DIRTY_RING_FULL:
		return handle_ring_full(v);
	}
	count(&v->count.other);
	switch (v->run->exit_reason) {
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_UNKNOWN:
		return;
	case KVM_EXIT_SHUTDOWN:
		return vm_end(v->vm, VM_STATE_CRASHED, false,
			      "vCPU %u: triple fault", v->id);
	case KVM_EXIT_SYSTEM_EVENT:
		return handle_system_event(v);
	case KVM_EXIT_INTERNAL_ERROR:
		return handle_internal_error(v);
	case KVM_EXIT_FAIL_ENTRY:
		return vm_end(v->vm, VM_STATE_CRASHED, false,
			      "vCPU %u: the CPU refuses to enter the guest: reason 0x%llx",
			      v->id, (unsigned long long)
			      v->run->fail_entry.hardware_entry_failure_reason);
	default:
		return vm_end(v->vm, VM_STATE_CRASHED, false,
			      "vCPU %u: KVM exit %u is not understood", v->id,
			      v->run->exit_reason);
	}
}

/* Enter the guest once.  Return: 0, or -EINTR if kicked. */
static int vcpu_enter(struct vcpu *v)
{
	int ret = ioctl(v->fd, KVM_RUN, 0) ? -errno : 0;

	count(&v->count.exits);
	switch (ret) {
	case 0:
		handle_exit(v);
		return 0;
	case -EINTR:
		count(&v->count.intr);
		return ret;
	case -EAGAIN:		/* a vCPU that waits to be started */
		return 0;
	default:
		vm_end(v->vm, VM_STATE_CRASHED, false, "vCPU %u: KVM_RUN: %s%s",
		       v->id, strerror(-ret), ret == -EFAULT ?
		       ": guest memory can't be had from the host" : "");
		return -EINTR;
	}
}

/*
 * The last exit may have left an instruction half executed: a value to be put
 * into a register, more of a string to be moved.  KVM_RUN with immediate_exit
 * finishes it and executes nothing else.
 */
static void vcpu_complete_io(struct vcpu *v)
{
	v->run->immediate_exit = 1;
	while (!vcpu_enter(v))
		;
}

/*
 * Stand still for as long as vcpu_hold() says; under &vm.lock.  Whoever stops
 * the VM, or lets it go, ends it at once.
 */
static void wait_held(struct vcpu *v)
{
	uint64_t began_ns = clock_now_ns(), ns;
	struct vm *vm = v->vm;
	struct timespec until;

	while (vm->go && !vm->quit && clock_now_ns() < v->held_until_ns) {
		until.tv_sec = v->held_until_ns / 1000000000;
		until.tv_nsec = v->held_until_ns % 1000000000;
		pthread_cond_timedwait(&vm->changed, &vm->lock, &until);
	}
	v->held_until_ns = 0;
	if (!vm->go)
		return;		/* what is to stop it stays set */
	v->run->immediate_exit = 0;
	ns = clock_now_ns() - began_ns;
	count(&v->count.holds);
	atomic_fetch_add_explicit(&v->count.held_ns, ns, memory_order_relaxed);
	if (ns > v->count.held_longest_ns)
		v->count.held_longest_ns = ns;
}

/* Wait until the vCPU may run; false: it never will again. */
static bool vcpu_wait(struct vcpu *v)
{
	struct vm *vm = v->vm;
	bool go;

	pthread_mutex_lock(&vm->lock);
	if (v->held_until_ns)
		wait_held(v);
	if (!vm->go && !v->parked) {
		pthread_mutex_unlock(&vm->lock);
		vcpu_complete_io(v);
		pthread_mutex_lock(&vm->lock);
		v->parked = true;
		vm->nr_parked++;
		pthread_cond_broadcast(&vm->changed);
	}
	while (!vm->go && !vm->quit)
		pthread_cond_wait(&vm->changed, &vm->lock);
	go = vm->go && !vm->quit;
	if (go && v->parked) {
		v->parked = false;
		vm->nr_parked--;
		v->run->immediate_exit = 0;
	}
	pthread_mutex_unlock(&vm->lock);
	return go;
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *v = arg;
	char name[16];

	v->tid = gettid();
	snprintf(name, sizeof(name), "vcpu %u", v->id);
	pthread_setname_np(pthread_self(), name);
	while (vcpu_wait(v))
		vcpu_enter(v);
	return NULL;
}

void vcpus_kick(struct vm *vm)
{
	struct vcpu *v;

	for (v = vm->vcpu; v < vm->vcpu + vm->nr_vcpus; v++) {
		if (v->parked || !v->started)
			continue;
		v->run->immediate_exit = 1;
		pthread_kill(v->thread, VM_KICK_SIGNAL);
	}
	pthread_cond_broadcast(&vm->changed);	/* those that are held */
}

void vcpu_hold(struct vcpu *v, uint64_t until_ns)
{
	struct vm *vm = v->vm;

	pthread_mutex_lock(&vm->lock);
	if (vm->go && !v->parked && v->started && !v->held_until_ns) {
		v->held_until_ns = until_ns;
		v->run->immediate_exit = 1;
		pthread_kill(v->thread, VM_KICK_SIGNAL);
	}
	pthread_mutex_unlock(&vm->lock);
}

void vcpus_let_go(struct vm *vm)
{
	struct vcpu *v;

	pthread_mutex_lock(&vm->lock);
	for (v = vm->vcpu; v < vm->vcpu + vm->nr_vcpus; v++)
		if (v->held_until_ns)
			v->held_until_ns = 1;	/* long past */
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
}

static void kicked(int signal)
{
	(void)signal;	/* having been interrupted is all */
}

static int set_kick_handler(void)
{
	struct sigaction action = { .sa_handler = kicked };

	sigemptyset(&action.sa_mask);
	return sigaction(VM_KICK_SIGNAL, &action, NULL) ? -errno : 0;
}

/* vCPU threads take no signal but the kick. */
static int start_thread(struct vcpu *v)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	sigdelset(&all, VM_KICK_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&v->thread, NULL, vcpu_thread, v);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	v->started = !ret;
	return -ret;
}

static int vcpu_create(struct vm *vm, struct vcpu *v, struct err *err)
{
	int ret;

	v->fd = kvm_ioctl_value(vm->vm_fd, KVM_CREATE_VCPU, v->id);
	if (v->fd < 0)
		return v->fd;
	v->run = mmap(NULL, vm->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		      v->fd, 0);
	if (v->run == MAP_FAILED) {
		v->run = NULL;
		return -errno;
	}
	ret = dirty_attach(&vm->dirty, v->fd, err);
	if (ret)
		return ret;
	v->parked = true;
	vm->nr_parked++;
	return start_thread(v);
}

int vcpus_create(struct vm *vm, struct err *err)
{
	unsigned int i;
	int ret = set_kick_handler();

	vm->vcpu = calloc(vm->nr_vcpus, sizeof(*vm->vcpu));
	if (!vm->vcpu)
		ret = -ENOMEM;
	else
		for (i = 0; i < vm->nr_vcpus; i++)
			vm->vcpu[i] = (struct vcpu){
				.vm = vm, .id = i, .fd = -1,
			};
	for (i = 0; i < vm->nr_vcpus && !ret; i++)
		ret = vcpu_create(vm, &vm->vcpu[i], err);
	return ret ? err_set(err, ret, "%s: vCPU %u can't be made: %s",
			     vm->name, i ? i - 1 : 0, strerror(-ret)) : 0;
}

void vcpus_destroy(struct vm *vm)
{
	struct vcpu *v;

	if (!vm->vcpu)
		return;
	pthread_mutex_lock(&vm->lock);
	vm->go = false;
	vm->quit = true;
	vcpus_kick(vm);
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
	for (v = vm->vcpu; v < vm->vcpu + vm->nr_vcpus; v++) {
		if (v->started)
			pthread_join(v->thread, NULL);
		if (v->run)
			munmap(v->run, vm->run_bytes);
		if (v->fd >= 0)
			close(v->fd);
	}
	free(vm->vcpu);
	vm->vcpu = NULL;
}
