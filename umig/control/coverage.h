/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much of this host's memory a migration can leave out: what KSM has
 * merged, how soon it comes by, and what of that the module knows.
 */
#ifndef UMIG_CONTROL_COVERAGE_H
#define UMIG_CONTROL_COVERAGE_H

#include <stdbool.h>

#include <linux/umig.h>

#include "mem/ksm_state.h"

/**
 * coverage_show() - For people, with warnings on stderr; or one JSON object.
 * @info: of the module.
 * @evicted: entries that it has given up.
 */
int coverage_show(const struct ksm_state *ksm, const struct umig_info *info,
		  uint64_t evicted, bool json);

#endif
