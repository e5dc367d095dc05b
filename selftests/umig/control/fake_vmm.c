// SPDX-License-Identifier: GPL-2.0
/*
 * The VM of vmm/vm.h without KVM: see fake_vmm.h.
 */
#include "umig/control/fake_vmm.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct vm {
	struct fake_vm guest;
	int event_fd;
	_Atomic unsigned int reasons;
	_Atomic unsigned int ended;	/* enum vm_state, 0: no */
};

struct vm *fake_vmm_create(uint64_t pages)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	assert(vm);
	fake_vm_init(&vm->guest, pages / 2, pages - pages / 2, false);
	vm->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vm->reasons = VM_PAUSE_SETUP;
	return vm;
}

struct fake_vm *fake_vmm_guest(struct vm *vm)
{
	return &vm->guest;
}

static void changed(struct vm *vm)
{
	vm->guest.running = !vm->reasons && !vm->ended;
	eventfd_write(vm->event_fd, 1);
}

void fake_vmm_end(struct vm *vm, enum vm_state state)
{
	vm->ended = state;
	changed(vm);
}

int vm_start(struct vm *vm, struct err *err)
{
	(void)err;
	vm->reasons &= ~VM_PAUSE_SETUP;
	changed(vm);
	return 0;
}

int vm_pause(struct vm *vm, enum vm_pause_reason reason, struct err *err)
{
	vm->reasons |= reason;
	changed(vm);
	return vm->ended ? err_set(err, -ESHUTDOWN, "the guest has ended") : 0;
}

int vm_resume(struct vm *vm, enum vm_pause_reason reason, struct err *err)
{
	(void)err;
	vm->reasons &= ~reason;
	changed(vm);
	return 0;
}

void vm_status(struct vm *vm, struct vm_status *out)
{
	*out = (struct vm_status){ .reasons = vm->reasons };
	out->state = vm->reasons ? VM_STATE_PAUSED : VM_STATE_RUNNING;
	if (vm->ended) {
		out->state = vm->ended;
		strcpy(out->why, "the fake guest has ended");
	}
}

int vm_event_fd(struct vm *vm)
{
	return vm->event_fd;
}

void vm_counters(struct vm *vm, struct vm_counters *out)
{
	*out = (struct vm_counters){ .harvests = vm->guest.harvests };
}

/* Two, of which the second was left alone. */
bool vm_vcpu_counters(struct vm *vm, unsigned int vcpu,
		      struct vm_vcpu_counters *out)
{
	(void)vm;
	*out = (struct vm_vcpu_counters){ .exits_ring_full = !vcpu * 7 };
	return vcpu < 2;
}

const char *vm_name(const struct vm *vm)
{
	(void)vm;
	return "fake";
}

const char *vm_group(const struct vm *vm)
{
	(void)vm;
	return "fakes";
}

const struct memslots *vm_memory(const struct vm *vm)
{
	return &vm->guest.ms;
}

void vm_destroy(struct vm *vm)
{
	fake_vm_exit(&vm->guest);
	close(vm->event_fd);
	free(vm);
}

/* The engine's view: fake_vm_ops on the guest, with reasons kept as well. */

static struct fake_vm *guest(void *arg)
{
	return &((struct vm *)arg)->guest;
}

static const struct memslots *ops_memory(void *arg)
{
	return fake_vm_ops.memory(guest(arg));
}

static int ops_machine(void *arg, struct machine *out)
{
	return fake_vm_ops.machine(guest(arg), out);
}

static int ops_accept(void *arg, const struct machine *source,
		      struct err *err)
{
	return fake_vm_ops.machine_accept(guest(arg), source, err);
}

static int ops_stop(void *arg, struct err *err)
{
	int rc = fake_vm_ops.stop(guest(arg), err);

	return rc ? rc : vm_pause(arg, VM_PAUSE_MIGRATION, err);
}

static int ops_start(void *arg, struct err *err)
{
	struct vm *vm = arg;
	int rc = fake_vm_ops.start(guest(arg), err);

	vm->reasons &= ~VM_PAUSE_SETUP;
	return rc ? rc : vm_resume(arg, VM_PAUSE_MIGRATION, err);
}

static int ops_dirty_start(void *arg, struct err *err)
{
	return fake_vm_ops.dirty_start(guest(arg), err);
}

static int ops_dirty_harvest(void *arg, vm_dirty_fn *fn, void *fn_arg)
{
	return fake_vm_ops.dirty_harvest(guest(arg), fn, fn_arg);
}

static void ops_dirty_stop(void *arg)
{
	fake_vm_ops.dirty_stop(guest(arg));
}

static const char *ops_dirty_source(void *arg)
{
	return fake_vm_ops.dirty_source(guest(arg));
}

/* A guest that its operator has paused travels as one. */
static int ops_state_save(void *arg, struct buf *out, struct err *err)
{
	struct vm *vm = arg;

	buf_put_u8(out, vm->reasons & VM_PAUSE_OPERATOR);
	return fake_vm_ops.state_save(guest(arg), out, err);
}

static int ops_state_load(void *arg, const void *data, size_t bytes,
			  struct err *err)
{
	struct vm *vm = arg;
	struct reader r;

	reader_init(&r, data, bytes);
	vm->reasons |= reader_u8(&r) & VM_PAUSE_OPERATOR;
	return fake_vm_ops.state_load(guest(arg), r.data + r.pos,
				      reader_left(&r), err);
}

static int ops_prepare(void *arg, struct err *err)
{
	return fake_vm_ops.prepare(guest(arg), err);
}

static int ops_throttle(void *arg, uint64_t pages_s, unsigned int floor)
{
	(void)arg;
	(void)pages_s;
	(void)floor;
	return -EOPNOTSUPP;
}

const struct vm_ops vm_ops_kvm = {
	.memory = ops_memory,
	.machine = ops_machine,
	.machine_accept = ops_accept,
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
