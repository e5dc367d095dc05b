/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pre-copy: rounds of guest memory while the guest runs, and the last round
 * while it doesn't.  Decides when to stop the guest; does not stop it.
 */
#ifndef UMIG_MIGRATE_PRECOPY_H
#define UMIG_MIGRATE_PRECOPY_H

#include "migrate/sender.h"

/**
 * precopy_live() - Rounds until the rest is predicted to fit the downtime.
 *
 * Return: 0: stop the guest and call precopy_final(); -ETIME: it doesn't
 * converge and the parameters say to abort; or -errno, in words.
 */
int precopy_live(struct sender *s);

/**
 * precopy_final() - Send all that is left, the guest being stopped.
 *
 * When it returns 0 the destination has said that it has placed every page.
 * -EOVERFLOW: the dirty log has lost pages only now, all of them would have to be
 * sent, and the parameters say to abort.
 */
int precopy_final(struct sender *s);

#endif
