/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An explicit-state model checker for the handover's world: every world that
 * can be reached, breadth first, so that a counterexample is a shortest one.
 */
#ifndef SELFTESTS_MODEL_EXPLORE_H
#define SELFTESTS_MODEL_EXPLORE_H

#include <stddef.h>

#include "model/world.h"

/**
 * struct explored - What was found.
 * @states: worlds reached, all of them unless there is a flaw.
 * @transitions: steps between them.
 * @settled: of the worlds, settled ones.
 * @flaw: the first flaw, in the fewest steps, or FLAW_NONE.
 * @seen: a bit for each &enum handover_state that occurred.
 */
struct explored {
	size_t states;
	size_t transitions;
	size_t settled;
	enum flaw flaw;
	unsigned int seen;
};

/**
 * explore() - Look at every world that @rules allow.
 *
 * With a flaw, the steps that lead to it are printed as TAP diagnostics.
 */
struct explored explore(const struct rules *rules);

#endif
