// SPDX-License-Identifier: GPL-2.0
/*
 * A word on ksmd when a VM is started: see ksm_warning.h.
 */
#include "control/ksm_warning.h"

#include <stdio.h>
#include <unistd.h>

#include "lib/log.h"
#include "mem/ksm_state.h"
#include "mem/memslots.h"
#include "mem/umigdev.h"

#define WARNING_MAX 300

bool ksm_warning(const char *ksm_dir, const char *device,
		 uint64_t memory_bytes, char *to, size_t room)
{
	struct err err = { 0 };
	struct ksm_state ksm;

	if (access(device, F_OK))
		return false;
	if (ksm_state_read(ksm_dir, &ksm, &err)) {
		snprintf(to, room, "%s", err.text);
		return true;
	}
	ksm.pages_unshared += memory_bytes / UMIG_PAGE_SIZE;
	return ksm_state_advice(&ksm, to, room);
}

void ksm_warn(uint64_t memory_bytes)
{
	char text[WARNING_MAX];

	if (ksm_warning(KSM_DIR, UMIGDEV_PATH, memory_bytes, text,
			sizeof(text)))
		log_warn("%s", text);
}
