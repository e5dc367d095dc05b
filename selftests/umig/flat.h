/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest of some fifty instructions for tests: it writes a pass number into
 * every page of a range, over and over, and before each pass checks that every
 * page still holds the last pass's.  A page that a migration lost holds an
 * older one, so the guest itself counts what went wrong.
 */
#ifndef SELFTESTS_FLAT_H
#define SELFTESTS_FLAT_H

#include <stdint.h>

#include "lib/err.h"
#include "vmm/vm.h"

#define FLAT_PARAMS_GPA 0x8000
#define FLAT_CODE_GPA 0x10000
#define FLAT_DATA_GPA 0x200000

/**
 * struct flat_params - What guest and test share, at FLAT_PARAMS_GPA.
 * @first: address of the first page; FLAT_DATA_GPA.
 * @pages: how many.
 * @passes: power off after so many; 0: when told to @stop.
 * @spare: sparse: turns of a two-instruction loop for each page, at least 8,
 *	so that there are 20 instructions to a write; 0: dense: 4.
 * @pass: passes done: what every page holds between two passes.
 * @errors: pages that held something else.
 * @bad: the last of them.
 * @checksum: at the end: the sum of what the pages hold: @pages * @pass.
 * @stop: set by the test: finish at the end of the pass.
 */
struct flat_params {
	uint32_t first;
	uint32_t pages;
	uint32_t passes;
	uint32_t spare;
	uint32_t pass;
	uint32_t errors;
	uint32_t bad;
	uint32_t checksum;
	uint32_t stop;
};

/** flat_config() - A machine that suits the guest, without a serial port. */
struct vm_config flat_config(const char *name, const char *dirty);

/** flat_boot() - Load the guest into @vm; vm_start() lets it run. */
int flat_boot(struct vm *vm, const struct flat_params *params,
	      struct err *err);

/** flat_params() - The guest's own, live. */
volatile struct flat_params *flat_params(struct vm *vm);

/** flat_wait_pass() - Until the guest has done @pass; -ETIMEDOUT after 20 s. */
int flat_wait_pass(struct vm *vm, uint32_t pass);

/** flat_wait_end() - Until the VM is in a final state, as above. */
int flat_wait_end(struct vm *vm, struct vm_status *out);

/** flat_skip() - Why VMs can't be made here, or NULL. */
const char *flat_skip(void);

#endif
