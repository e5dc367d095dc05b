/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How ksmd is set and how far it has come, and whether that is of use: pages
 * that it doesn't reach soon are merged by no host.  Only reads sysfs.
 */
#ifndef UMIG_MEM_KSM_STATE_H
#define UMIG_MEM_KSM_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define KSM_DIR "/sys/kernel/mm/ksm"

/* A pass that takes longer finds little of what migrates meanwhile. */
#define KSM_PASS_GOOD_S 120
#define KSM_PASS_SLOW_S 300

/**
 * struct ksm_state - The files of the same names, and what follows from them.
 * @has_advisor: this kernel has one (since 6.8).
 * @advises: it is set to scan-time: it chooses pages_to_scan itself.
 */
struct ksm_state {
	uint64_t run;
	uint64_t pages_shared;
	uint64_t pages_sharing;
	uint64_t pages_unshared;
	uint64_t pages_volatile;
	uint64_t full_scans;
	uint64_t pages_to_scan;
	uint64_t sleep_millisecs;
	bool has_advisor;
	bool advises;
	uint64_t advisor_target_scan_time;
};

/**
 * ksm_state_read() - Read it.
 * @dir: KSM_DIR, but for tests.
 *
 * Return: 0, or -errno with the remedy in @err.
 */
int ksm_state_read(const char *dir, struct ksm_state *out, struct err *err);

/** ksm_state_pages() - Pages that ksmd looked at in its last pass, or so. */
uint64_t ksm_state_pages(const struct ksm_state *ksm);

/** ksm_state_pass_s() - Seconds that a pass takes at least; 0: not limited. */
uint64_t ksm_state_pass_s(const struct ksm_state *ksm);

/**
 * ksm_state_advice() - What keeps KSM from being of use, and what mends it.
 * @to: receives one sentence, with the command.
 *
 * Return: false: nothing does.
 */
bool ksm_state_advice(const struct ksm_state *ksm, char *to, size_t room);

#endif
