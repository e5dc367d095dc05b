/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest of a few instructions that writes memory and checks what it wrote:
 * in pass n it looks whether each page of its region holds n - 1, notes the
 * address if not, and writes n.  A page that was lost on the way, or arrived
 * in an older state, is thus found by the guest itself one pass later.
 */
#ifndef SELFTESTS_WRITER_H
#define SELFTESTS_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "vmm/vm.h"

#define WRITER_REGION 0x400000U

/**
 * writer_boot() - Load it.
 * @pages: of its region.
 * @delay: iterations of an empty loop (two instructions each) for each page;
 *	at least 1.
 */
int writer_boot(struct vm *vm, uint32_t pages, uint32_t delay,
		struct err *err);

/** writer_passes() - Passes that are complete. */
uint32_t writer_passes(struct vm *vm);

/** writer_bad() - Address of a page that was not as it should be, or 0. */
uint32_t writer_bad(struct vm *vm);

/** writer_wait() - Wait until @passes are complete; false: it stands still. */
bool writer_wait(struct vm *vm, uint32_t passes);

#endif
