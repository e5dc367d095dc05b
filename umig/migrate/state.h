/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The states of a migration, the same names at both ends and for the user.
 */
#ifndef UMIG_MIGRATE_STATE_H
#define UMIG_MIGRATE_STATE_H

#include <stdbool.h>

/**
 * enum migrate_state - Where a migration stands.
 * @MIGRATE_SETUP: connecting, hello.  The guest runs at the source.  May be
 *	cancelled; any failure leaves the guest as it was.
 * @MIGRATE_PRECOPY: rounds of guest memory.  As SETUP.
 * @MIGRATE_STOPPING: the guest is stopped at the source, the last round and
 *	the machine state are on their way, both ends compare memory.  May be
 *	cancelled: the guest is started again at the source.
 * @MIGRATE_HANDOVER: GO is said, or about to be.  Can't be cancelled.  The
 *	source never starts the guest by itself from here on, but on the
 *	destination's explicit word that it did not.
 * @MIGRATE_HANDOVER_UNKNOWN: source only: GO was said and no answer came.  The
 *	guest stays stopped here until somebody who has looked at the
 *	destination settles it (migration_settle()).
 * @MIGRATE_COMPLETED: the guest is the destination's.  Final.
 * @MIGRATE_CANCELLING: a cancel was asked for and is being carried out.
 * @MIGRATE_CANCELLED: the guest is the source's.  Final.
 * @MIGRATE_FAILED: the guest is the source's.  Final.
 */
enum migrate_state {
	MIGRATE_SETUP = 1,
	MIGRATE_PRECOPY = 2,
	MIGRATE_STOPPING = 3,
	MIGRATE_HANDOVER = 4,
	MIGRATE_HANDOVER_UNKNOWN = 5,
	MIGRATE_COMPLETED = 6,
	MIGRATE_CANCELLING = 7,
	MIGRATE_CANCELLED = 8,
	MIGRATE_FAILED = 9,
	MIGRATE_STATES
};

/** migrate_state_name() - "setup", "precopy", ...; "invalid" for others. */
const char *migrate_state_name(enum migrate_state s);

/** migrate_state_may() - Whether the transition @from -> @to is legal. */
bool migrate_state_may(enum migrate_state from, enum migrate_state to);

/** migrate_state_final() - COMPLETED, CANCELLED or FAILED. */
bool migrate_state_final(enum migrate_state s);

#endif
