/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The handover: the second phase of the commit, as the source does it.  From
 * here on the source never starts the guest by itself.
 */
#ifndef UMIG_MIGRATE_HANDOVER_H
#define UMIG_MIGRATE_HANDOVER_H

#include <stdint.h>

#include "migrate/migration.h"

/**
 * handover() - Say GO, and find out what became of the guest.
 * @stopped_ns: when the guest was stopped, for the report's downtime.
 *
 * The destination has said READY.  May wait for migration_settle().
 *
 * Return: 0: it is the destination's.  -EREMOTEIO: it is not and never will
 * be: start it again.  -ECANCELED: GO has not been said, a cancel came first.
 * With &migration.abandoned set nobody knows, and the guest stays stopped.
 */
int handover(struct migration *m, uint64_t stopped_ns);

#endif
