/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VM behind vm.h, for the files of this directory only.
 */
#ifndef UMIG_VMM_PRIV_H
#define UMIG_VMM_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "mem/dirty.h"
#include "vmm/cpuid.h"
#include "vmm/device.h"
#include "lib/kvm.h"
#include "vmm/vm.h"

/* What of guest physical memory isn't RAM. */
#define VM_HOLE_START 0xc0000000ULL	/* RAM below ends here */
#define VM_HOLE_END 0x100000000ULL	/* RAM above begins here */
#define VM_VIRTIO_BASE 0xd0000000ULL	/* virtio-mmio, 4 KiB each */
#define VM_IDENTITY_MAP 0xfffbc000ULL	/* VMX only, 1 page */
#define VM_TSS_BASE 0xfffbd000ULL	/* VMX only, 3 pages */

#define VM_VIRTIO_GSI 16		/* 16 .. 23, behind the ISA lines */
#define VM_ACPI_PORT 0x600

/** struct vcpu_counters - Written by the vCPU's thread alone. */
struct vcpu_counters {
	atomic_ullong exits;
	atomic_ullong io;
	atomic_ullong mmio;
	atomic_ullong intr;
	atomic_ullong other;
	atomic_ullong holds;
	atomic_ullong held_ns;
	atomic_ullong held_longest_ns;
};

/**
 * struct vcpu - One virtual CPU.
 * @vm, @id, @fd, @run, @thread: constant.
 * @started: @thread is valid.
 * @parked: at rest, with its I/O completed; under &vm.lock.
 * @held_until_ns: it is to stand still until then, 0: no; under &vm.lock.
 * @tid: of @thread, 0: it has yet to say.
 * @favoured: head_start.c's own.
 */
struct vcpu {
	struct vm *vm;
	unsigned int id;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool started;
	bool parked;
	uint64_t held_until_ns;
	atomic_int tid;
	bool favoured;
	struct vcpu_counters count;
};

/**
 * struct throttle - The thread that holds vCPUs; see throttle.c.
 * @running, @thread: of whoever starts and stops it.
 *
 * Under @lock, @changed is signalled:
 * @quit: the thread is to end.
 * @pages_s, @floor: as asked for.
 */
struct throttle {
	bool running;
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool quit;
	uint64_t pages_s;
	unsigned int floor;
};

/**
 * struct head_start - The thread that ends a head start; see head_start.c.
 * @running, @thread: of whoever lets the guest go on; once in the VM's life.
 * @quit: the thread is to end now; under @lock, @changed is signalled.
 */
struct head_start {
	bool running;
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool quit;
};

/**
 * struct vm - A VM.
 *
 * Constant after vm_create():
 * @name, @memory_bytes, @nr_vcpus, @slots, @kvm_fd, @vm_fd, @run_bytes, @bus,
 * @host, @event_fd; @kernel, @initrd, @cmdline, @group as configured.
 *
 * Changed only while nothing runs:
 * @cpuid: what vCPU 0 sees; others differ in their APIC id.
 * @loaded: vm_boot*(), vm_launch_incoming() or a state was loaded.
 * @incoming: vm_launch_incoming(), and it hasn't run yet.
 *
 * @throttle, @head_start: of the files of these names.
 *
 * @control: held by whoever pauses, resumes, saves, loads; never taken by
 *	vCPU or device threads.  Protects:
 * @at_rest: vCPUs are parked and devices quiesced.
 *
 * @lock: short; the innermost.  Protects what follows; @changed is signalled
 *	for all of it.
 * @go: vCPUs are to run.
 * @quit: vCPU threads are to end.
 * @nr_parked: how many are parked.
 * @reasons: &enum vm_pause_reason bits.
 * @final, @reset, @why: the final state, 0: none yet.
 */
struct vm {
	char *name;
	char *kernel;
	char *initrd;
	char *cmdline;
	char *group;
	uint64_t memory_bytes;
	unsigned int nr_vcpus;
	struct vcpu *vcpu;
	struct memslots slots;
	int kvm_fd;
	int vm_fd;
	size_t run_bytes;
	struct bus bus;
	struct device_host host;
	struct dirty dirty;
	int event_fd;
	struct throttle throttle;
	struct head_start head_start;

	struct cpuid_table cpuid;
	bool loaded;
	bool incoming;

	pthread_mutex_t control;
	bool at_rest;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool go;
	bool quit;
	unsigned int nr_parked;
	unsigned int reasons;
	enum vm_state final;
	bool reset;
	char why[VM_WHY_MAX];
};

/* memory.c */
int vm_memory_alloc(struct vm *vm, struct err *err);
void vm_memory_free(struct vm *vm);
/** vm_memory_small() - No huge pages: a first touch must populate one page. */
void vm_memory_small(struct vm *vm);
/** vm_memory_default() - Undo vm_memory_small(). */
void vm_memory_default(struct vm *vm);

/* head_start.c */
/** head_start_init(), head_start_exit() - With the VM; exit before vCPUs go. */
void head_start_init(struct vm *vm);
void head_start_exit(struct vm *vm);
/**
 * head_start() - Favour the vCPUs for a second; for a guest that has arrived
 * and is about to run.  Under &vm.control.
 */
void head_start(struct vm *vm);

/* throttle.c */
/** throttle_init(), throttle_exit() - With the VM. */
void throttle_init(struct vm *vm);
void throttle_exit(struct vm *vm);
/**
 * throttle_start() - Hold vCPUs to a rate, or to another one; see &vm_ops.
 * One thread, the same that stops it.
 */
int throttle_start(struct vm *vm, uint64_t pages_s, unsigned int floor);
/** throttle_stop() - Let all go.  Idempotent. */
void throttle_stop(struct vm *vm);

/* vcpu.c */
int vcpus_create(struct vm *vm, struct err *err);
/** vcpus_destroy() - End the threads, if there are any, and free. */
void vcpus_destroy(struct vm *vm);
/** vcpus_kick() - Bring all out of KVM_RUN; under &vm.lock. */
void vcpus_kick(struct vm *vm);
/** vcpu_hold() - Have a vCPU that runs stand still until @until_ns. */
void vcpu_hold(struct vcpu *v, uint64_t until_ns);
/** vcpus_let_go() - Have none stand still any more. */
void vcpus_let_go(struct vm *vm);

/* run.c */
/** vm_end() - Enter a final state, unless in one.  Any thread. */
void vm_end(struct vm *vm, enum vm_state final, bool reset, const char *fmt,
	    ...) __attribute__((format(printf, 4, 5)));
/** vm_pause_locked(), vm_resume_locked() - Under &vm.control. */
int vm_pause_locked(struct vm *vm, unsigned int reason, struct err *err);
int vm_resume_locked(struct vm *vm, unsigned int reason, struct err *err);

/* host.c */
void host_init(struct vm *vm);

/* machine.c */
int vm_set_cpuid(struct vm *vm, const struct cpuid_table *table,
		 struct err *err);
int vm_machine(struct vm *vm, struct machine *out);
int vm_machine_accept(struct vm *vm, const struct machine *source,
		      struct err *err);

/* state.c: under &vm.control, at rest */
int vm_state_save(struct vm *vm, struct buf *out, struct err *err);
int vm_state_load(struct vm *vm, const void *data, size_t bytes,
		  struct err *err);

#endif
