/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The micro-VMM, as its owner sees it: a command, a test.  It makes a VM, loads
 * a guest into it or leaves that to a migration, lets it run, pauses it, hears
 * when it ends.  The engine sees the same VM through &vm_ops_kvm.
 *
 * No function here exits, prints to stdout or installs a handler for a signal
 * other than VM_KICK_SIGNAL.
 */
#ifndef UMIG_VMM_VM_H
#define UMIG_VMM_VM_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "mem/memslots.h"
#include "migrate/vm_ops.h"

#define VM_CPUS_MAX 64
#define VM_DISKS_MAX 8

/*
 * Brings vCPU threads out of KVM_RUN.  vm_create() installs a handler that
 * does nothing; the process must not use the signal otherwise.
 */
#define VM_KICK_SIGNAL SIGUSR1

struct vm;

/**
 * struct vm_disk - A virtio-blk device.
 * @path: raw image or block device.  A writable one is locked (OFD lock on
 *	the whole file) from vm_boot() or, at a migration's destination, from
 *	&vm_ops.start on: a second VM on the same image is refused.
 * @readonly: the guest may only read; nothing is locked.
 */
struct vm_disk {
	const char *path;
	bool readonly;
};

/**
 * struct vm_config - A machine.  Zero-initialise; strings are borrowed until
 *	vm_create() returns.
 * @name: for messages; NULL: "vm".
 * @memory_bytes: RAM, a multiple of 2 MiB, at least 32 MiB for a Linux guest.
 * @cpus: 1 .. VM_CPUS_MAX; 0: 1.
 * @kernel: bzImage.  NULL: vm_boot() can't be called.
 * @initrd: NULL: none.
 * @cmdline: kernel command line; NULL: VM_CMDLINE_DEFAULT.
 * @disks: @nr_disks devices, vda, vdb, ... in this order.
 * @serial: ttyS0: "stdio" (or NULL), "none", "file:PATH" (appended to).
 * @dirty: "auto" (or NULL: ring if the probe finds it sound, else bitmap),
 *	"ring", "bitmap".
 * @group: trust group, see mem/group.h; NULL: none.  It is part of the machine;
 *	to enter it is the process's business, before vm_create().
 * @dirty_ring_entries: for each vCPU, a power of two; 0: a default.
 */
struct vm_config {
	const char *name;
	uint64_t memory_bytes;
	unsigned int cpus;
	const char *kernel;
	const char *initrd;
	const char *cmdline;
	struct vm_disk disks[VM_DISKS_MAX];
	unsigned int nr_disks;
	const char *serial;
	const char *dirty;
	const char *group;
	unsigned int dirty_ring_entries;
};

#define VM_CMDLINE_DEFAULT "console=ttyS0 panic=-1"

/**
 * enum vm_pause_reason - Why a VM doesn't run.  It runs when no bit is set.
 * @VM_PAUSE_OPERATOR: somebody asked for it (`stop`, `cont`).
 * @VM_PAUSE_MIGRATION: the engine has stopped it (&vm_ops.stop).
 * @VM_PAUSE_SETUP: it has not been started yet.  Set by vm_create(), cleared
 *	by vm_start() and by &vm_ops.start.
 */
enum vm_pause_reason {
	VM_PAUSE_OPERATOR = 1 << 0,
	VM_PAUSE_MIGRATION = 1 << 1,
	VM_PAUSE_SETUP = 1 << 2,
};

/**
 * enum vm_state - What a VM is doing.
 * @VM_STATE_RUNNING: vCPUs execute.
 * @VM_STATE_PAUSED: a pause reason is set.
 * @VM_STATE_SHUTDOWN: the guest powered off or reset: final.
 * @VM_STATE_CRASHED: triple fault, KVM internal error, a device or host
 *	failure: final, memory and vCPUs stay as they were.
 */
enum vm_state {
	VM_STATE_RUNNING = 1,
	VM_STATE_PAUSED = 2,
	VM_STATE_SHUTDOWN = 3,
	VM_STATE_CRASHED = 4,
};

#define VM_WHY_MAX 256

/**
 * struct vm_status - A VM's state.
 * @state: as above.
 * @reasons: &enum vm_pause_reason bits, whatever the state is.
 * @reset: with VM_STATE_SHUTDOWN: the guest asked for a reset.
 * @why: one sentence for a final state, else empty.
 */
struct vm_status {
	enum vm_state state;
	unsigned int reasons;
	bool reset;
	char why[VM_WHY_MAX];
};

/**
 * struct vm_counters - Since vm_create(), for reports and tests.
 * @exits: returns from KVM_RUN, by kind below.
 * @exits_ring_full: a vCPU's dirty ring reached its soft limit.
 * @ring_harvested: entries taken from rings.
 * @ring_resets: KVM_RESET_DIRTY_RINGS calls.
 * @ring_overflows: times that a ring was found to have lost entries.
 * @log_gets: KVM_GET_DIRTY_LOG calls.
 * @device_marked: pages marked dirty for device back-ends' writes.
 * @harvests: &vm_ops.dirty_harvest calls.
 * @harvested_pages: pages that these reported.
 */
struct vm_counters {
	uint64_t exits;
	uint64_t exits_io;
	uint64_t exits_mmio;
	uint64_t exits_intr;
	uint64_t exits_other;
	uint64_t exits_ring_full;
	uint64_t ring_harvested;
	uint64_t ring_resets;
	uint64_t ring_overflows;
	uint64_t log_gets;
	uint64_t device_marked;
	uint64_t harvests;
	uint64_t harvested_pages;
};

/**
 * vm_create() - Make a VM: memory, irqchip, vCPUs, devices; nothing runs.
 *
 * Return: 0, or -errno with the object and the remedy in @err.
 */
int vm_create(struct vm **out, const struct vm_config *config,
	      struct err *err);

/**
 * vm_boot() - For `run`: open the disks for use, load kernel, initrd and
 * tables, set up vCPU 0.  Once, instead of vm_launch_incoming().
 */
int vm_boot(struct vm *vm, struct err *err);

/**
 * vm_launch_incoming() - For `listen`: leave memory and state to a migration.
 *
 * Checks that the disks exist; keeps RAM from being backed by huge pages until
 * the VM runs.  The engine's &vm_ops.start lets it run.
 */
int vm_launch_incoming(struct vm *vm, struct err *err);

/**
 * enum vm_flat_mode - How vm_boot_flat() starts vCPU 0.
 * @VM_FLAT_REAL16: real mode, CS:IP = 0:entry, entry < 64 KiB.
 * @VM_FLAT_PROT32: protected mode, flat 4 GiB segments, no paging.
 */
enum vm_flat_mode {
	VM_FLAT_REAL16 = 1,
	VM_FLAT_PROT32 = 2,
};

/**
 * vm_boot_flat() - Load raw code instead of a kernel: tests, probes.
 * @gpa: where to put @code, and where vCPU 0 starts.
 */
int vm_boot_flat(struct vm *vm, const void *code, size_t bytes, uint64_t gpa,
		 enum vm_flat_mode mode, struct err *err);

/** vm_start() - Clear VM_PAUSE_SETUP: after vm_boot(), or for a guest that a
 * migration brought in paused: it stays so until its operator resumes it.
 */
int vm_start(struct vm *vm, struct err *err);

/**
 * vm_pause() - Set @reason; returns when vCPUs and devices are at rest.
 *
 * Any thread but a vCPU's or a device's; several at a time.  Idempotent.  A
 * VM in a final state is -ESHUTDOWN with the reason set all the same.
 */
int vm_pause(struct vm *vm, enum vm_pause_reason reason, struct err *err);

/**
 * vm_resume() - Clear @reason; the VM runs on if that was the last one.
 *
 * On an error (a disk that another host has taken meanwhile) @reason stays
 * set.
 */
int vm_resume(struct vm *vm, enum vm_pause_reason reason, struct err *err);

void vm_status(struct vm *vm, struct vm_status *out);

/**
 * vm_event_fd() - An eventfd, owned by the VM, that becomes readable whenever
 * vm_status() may have changed.
 */
int vm_event_fd(struct vm *vm);

void vm_counters(struct vm *vm, struct vm_counters *out);

/**
 * struct vm_vcpu_counters - Of one vCPU, since vm_create().
 * @dirtied: pages that it was the first to dirty since a harvest; 0 with the
 *	bitmap.
 * @exits_ring_full: its ring reached its soft limit.
 * @holds: times that it was held for what it dirties,
 * @held_ns: together,
 * @held_longest_ns: and the longest.
 */
struct vm_vcpu_counters {
	uint64_t dirtied;
	uint64_t exits_ring_full;
	uint64_t holds;
	uint64_t held_ns;
	uint64_t held_longest_ns;
};

/** vm_vcpu_counters() - Return: false: there is no such vCPU. */
bool vm_vcpu_counters(struct vm *vm, unsigned int vcpu,
		      struct vm_vcpu_counters *out);

/** vm_name() - The configured name. */
const char *vm_name(const struct vm *vm);

/** vm_group() - The configured trust group, or NULL. */
const char *vm_group(const struct vm *vm);

/** vm_memory() - RAM, as &vm_ops.memory. */
const struct memslots *vm_memory(const struct vm *vm);

/**
 * vm_destroy() - Stop everything and free it; NULL is fine.  Writes of
 * the guest that had completed are on stable storage afterwards.
 */
void vm_destroy(struct vm *vm);

/**
 * vm_ops_kvm - The engine's view; its vm argument is a struct vm.
 *
 * throttle is -EOPNOTSUPP with the bitmap, which doesn't know who dirties.
 */
extern const struct vm_ops vm_ops_kvm;

#endif
