/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Before a VM comes into being: will this host's ksmd ever get to its pages?
 * Asked only where the kernel module is loaded; who hasn't it, expects nothing
 * of KSM.
 */
#ifndef UMIG_CONTROL_KSM_WARNING_H
#define UMIG_CONTROL_KSM_WARNING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * ksm_warning() - What stands against it, and what mends it.
 * @ksm_dir: KSM_DIR, but for tests.
 * @device: UMIGDEV_PATH, but for tests.
 * @memory_bytes: of the VM: ksmd will have to look at that, too.
 * @to: receives one sentence.
 *
 * Return: false: nothing does.
 */
bool ksm_warning(const char *ksm_dir, const char *device,
		 uint64_t memory_bytes, char *to, size_t room);

/** ksm_warn() - Log it, if there is something to say. */
void ksm_warn(uint64_t memory_bytes);

#endif
