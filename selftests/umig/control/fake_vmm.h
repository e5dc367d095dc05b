/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VM of vmm/vm.h without KVM, for tests of what owns a VM: its functions,
 * linked in the real ones' place, over a fake_vm.  There is one such VM a
 * process.
 */
#ifndef SELFTESTS_FAKE_VMM_H
#define SELFTESTS_FAKE_VMM_H

#include "umig/fake_vm.h"
#include "vmm/vm.h"

/** fake_vmm_create() - In state VM_PAUSE_SETUP, as vm_create() leaves it. */
struct vm *fake_vmm_create(uint64_t pages);

struct fake_vm *fake_vmm_guest(struct vm *vm);

/** fake_vmm_end() - The guest powers off or crashes; async-signal-safe. */
void fake_vmm_end(struct vm *vm, enum vm_state state);

#endif
