/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All that the engine knows of a VM.  The micro-VMM implements it; another
 * VMM, or a file, is one more implementation.  The engine calls every function
 * from its own thread and never from two threads at once.
 */
#ifndef UMIG_MIGRATE_VM_OPS_H
#define UMIG_MIGRATE_VM_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "mem/memslots.h"
#include "wire/machine.h"

/**
 * typedef vm_dirty_fn - Told a run of guest pages that were written.
 * @gfn: first page; the whole run is RAM of one memslot.
 * @pages: its length, > 0.
 */
typedef void vm_dirty_fn(void *arg, uint64_t gfn, uint64_t pages);

/**
 * struct vm_ops - What a VM can be asked to do.
 *
 * Functions return 0 or -errno; those with @err also say there, in words for
 * the user, what failed.
 *
 * @memory: the VM's RAM.  Constant for the VM's life.
 *
 * @machine: what the guest can see of the machine, as name = value lines
 *	(&struct machine): RAM size, vCPUs, devices, CPU model.  The hello
 *	carries it.
 *
 * @machine_accept: destination only, before anything is loaded: compare with
 *	the machine of the source, and adopt what is to be adopted (the CPU
 *	model).  -EXDEV and the name of the first difference in @err if the
 *	source's guest can't run here.
 *
 * @stop: bring all vCPUs out of guest mode with their pending I/O completed,
 *	then all device back-ends to rest with what the guest was told is
 *	written on stable storage.  After it returns guest memory and machine
 *	state don't change.  Idempotent.
 *
 * @start: the reverse: let devices and vCPUs run (on).  A guest that its
 *	operator has paused stays paused: that is part of the machine state.  At
 *	the destination it opens what only one host may have open (disks) first,
 *	and fails without having run or written anything if it can't.
 *	-ESHUTDOWN: the guest has ended by itself, and never will run again.
 *
 * @dirty_start: from now on every write to RAM, by vCPUs or by device
 *	back-ends, is recorded.  Nothing is dirty at first.
 *
 * @dirty_harvest: report all pages written since the last harvest, each run
 *	once, in any order.  When it returns, the dirty state of every reported
 *	page has been cleared in hardware: a later write is reported again.
 *	With the VM stopped, a harvest is complete: nothing is left anywhere.
 *	-EOVERFLOW: the log lost pages; every page must be taken as dirty.  It may
 *	say so from then on until it is started anew.
 *
 * @dirty_stop: end recording.  Idempotent.
 *
 * @dirty_source: "ring" or "bitmap", for the report.
 *
 * @state_save: append the whole machine state (vCPUs, irqchip, clock,
 *	devices) to @out.  The VM is stopped.
 *
 * @state_load: take machine state from the wire: hostile input.  -EBADMSG with
 *	the section and offset in @err if malformed.  RAM has been placed
 *	already.  After it returns 0, @start only has to go.
 *
 * @prepare: destination, after @state_load and before it promises to take
 *	over: check that @start can't fail for a foreseeable reason (the disk
 *	exists, has the right size, may be opened), without opening for write
 *	what the source still has open.
 *
 * @throttle: hold the vCPUs that dirty most, so that all together dirty at most
 *	@pages_s pages a second; 0: let all go.  Each still runs @floor percent
 *	of the time, and stands still for at most 100 ms at once; those that
 *	dirty little aren't touched.  @stop and @dirty_stop end it.
 *	-EOPNOTSUPP (also for 0): it isn't known who dirties what.  NULL: the
 *	same.
 */
struct vm_ops {
	const struct memslots *(*memory)(void *vm);
	int (*machine)(void *vm, struct machine *out);
	int (*machine_accept)(void *vm, const struct machine *source,
			      struct err *err);
	int (*stop)(void *vm, struct err *err);
	int (*start)(void *vm, struct err *err);
	int (*dirty_start)(void *vm, struct err *err);
	int (*dirty_harvest)(void *vm, vm_dirty_fn *fn, void *arg);
	void (*dirty_stop)(void *vm);
	const char *(*dirty_source)(void *vm);
	int (*state_save)(void *vm, struct buf *out, struct err *err);
	int (*state_load)(void *vm, const void *data, size_t bytes,
			  struct err *err);
	int (*prepare)(void *vm, struct err *err);
	int (*throttle)(void *vm, uint64_t pages_s, unsigned int floor);
};

#endif
