/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The handover: the second phase of the commit.  Both ends step through the
 * tables of handover_sm.h; these files hear, say, write and start what those
 * ask for.
 */
#ifndef UMIG_MIGRATE_HANDOVER_H
#define UMIG_MIGRATE_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "migrate/handover_store.h"
#include "migrate/migration.h"

/**
 * handover_stage() - Source: write down, while the guest runs, what will be the
 * record, so that little of it is left to do with the guest stopped.
 */
void handover_stage(struct migration *m);

/**
 * handover_source() - Ask the destination to take over, and find out whether
 * it did.
 * @stopped_ns: when the guest was stopped, for the report's downtime.
 *
 * Everything has been sent.  May wait for migration_settle().
 *
 * Return: 0: it is the destination's.  -errno, with words in @m->err: it is
 * ours and its record is removed: start it again.  With &migration.abandoned
 * set nobody knows, the record stays, and the guest stays stopped.
 */
int handover_source(struct migration *m, uint64_t stopped_ns);

/**
 * struct handover_target - A handover at the destination.  The engine's thread
 *	only.
 * @m: the migration.
 * @state: where it stands.
 * @next: what the last action led to, 0: nothing yet.
 * @record: what is, or will be, on disk.
 */
struct handover_target {
	struct migration *m;
	enum handover_state state;
	enum handover_event next;
	struct handover_record record;
};

void handover_target_init(struct handover_target *h, struct migration *m);

/** handover_target_ready() - READY is said: only GO is heard now. */
static inline bool handover_target_ready(const struct handover_target *h)
{
	return h->state == TARGET_READY;
}

/**
 * handover_target_prepare() - PREPARE was heard and this end is fit: say READY.
 * @id: the migration's, from PREPARE.
 */
int handover_target_prepare(struct handover_target *h, const uint8_t *id);

/**
 * handover_target_go() - GO was heard: record it, start the guest, say so.
 *
 * Return: 1: it runs here; -ECANCELED: a cancel came first, nothing was done;
 * or -errno: it does not run and never will, and the source has been told.
 */
int handover_target_go(struct handover_target *h);

/** handover_target_fail() - This end gives up for @rc: say so if need be. */
void handover_target_fail(struct handover_target *h, int rc);

/**
 * handover_settle() - Say what became of the guest, to a record that a process
 * left behind.
 * @moved: it is the destination's.  Else it isn't and never will be.
 *
 * Return: 0; -ENOENT: there is nothing to settle; or -errno.  With words in
 * @err.
 */
int handover_settle(struct handover_store *s, bool moved, struct err *err);

#endif
