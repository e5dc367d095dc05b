// SPDX-License-Identifier: GPL-2.0
/*
 * States of a migration: names, and which follows which.
 */
#include "migrate/state.h"

#define TO(s) (1U << MIGRATE_##s)

static const struct {
	const char *name;
	unsigned int to;
} states[] = {
	[MIGRATE_SETUP] = { "setup", TO(PRECOPY) | TO(CANCELLING) |
				     TO(CANCELLED) | TO(FAILED) },
	[MIGRATE_PRECOPY] = { "precopy", TO(STOPPING) | TO(CANCELLING) |
					 TO(CANCELLED) | TO(FAILED) },
	[MIGRATE_STOPPING] = { "stopping", TO(HANDOVER) | TO(CANCELLING) |
					   TO(CANCELLED) | TO(FAILED) },
	[MIGRATE_HANDOVER] = { "handover", TO(HANDOVER_UNKNOWN) |
					   TO(COMPLETED) | TO(FAILED) },
	[MIGRATE_HANDOVER_UNKNOWN] = { "handover-unknown", TO(COMPLETED) |
							   TO(FAILED) },
	[MIGRATE_COMPLETED] = { "completed", 0 },
	[MIGRATE_CANCELLING] = { "cancelling", TO(CANCELLED) | TO(FAILED) },
	[MIGRATE_CANCELLED] = { "cancelled", 0 },
	[MIGRATE_FAILED] = { "failed", 0 },
};

_Static_assert(sizeof(states) / sizeof(states[0]) == MIGRATE_STATES,
	       "a name and successors for each state");

const char *migrate_state_name(enum migrate_state s)
{
	return s > 0 && s < MIGRATE_STATES ? states[s].name : "invalid";
}

bool migrate_state_may(enum migrate_state from, enum migrate_state to)
{
	return from > 0 && from < MIGRATE_STATES &&
	       states[from].to >> to & 1;
}

bool migrate_state_final(enum migrate_state s)
{
	return s == MIGRATE_COMPLETED || s == MIGRATE_CANCELLED ||
	       s == MIGRATE_FAILED;
}
