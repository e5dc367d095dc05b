/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a host keeps what it must not forget of its VMs: for each name a lock,
 * which whoever owns the VM holds, and at most one record of its last handover.
 *
 *	STATE-DIR/web.lock          empty; locked by run, listen or settle
 *	STATE-DIR/web.handover      the record; replaced by rename, or removed
 *	STATE-DIR/web.handover.new  one that is being written
 *	STATE-DIR/web.handover.last the settled record that it took the place of
 *
 * A handover that comes to nothing gives back the record of the one before: a
 * VM that had moved away, and fails to come back, still is the other host's.
 *
 * What write and remove say has been done is on stable storage.
 */
#ifndef UMIG_MIGRATE_HANDOVER_STORE_H
#define UMIG_MIGRATE_HANDOVER_STORE_H

#include "migrate/handover_record.h"

struct handover_store;

/** HANDOVER_STATE_DIR - Root's; others' is below $HOME. */
#define HANDOVER_STATE_DIR "/var/lib/umig"

/**
 * handover_store_open() - Lock a VM's name in a state directory.
 * @dir: NULL: the default; it is made if it's missing.
 * @name: the VM's.
 *
 * Return: 0; -EBUSY: another process has that VM; -EINVAL: no name for a file;
 * or -errno.  With words in @err.
 */
int handover_store_open(struct handover_store **out, const char *dir,
			const char *name, struct err *err);

/** handover_store_close() - Unlock; NULL is fine. */
void handover_store_close(struct handover_store *s);

/** handover_store_name() - The VM's name. */
const char *handover_store_name(const struct handover_store *s);

/**
 * handover_store_stage() - Write what handover_store_write() is going to make
 * the record, ahead of the time when that must be quick.
 *
 * It is no record yet, and no promise: the write may still fail, and does all
 * of the work if this has failed or @r has changed since.
 */
int handover_store_stage(struct handover_store *s,
			 const struct handover_record *r, struct err *err);

/**
 * handover_store_check() - Try whether a record could be written now.
 *
 * Takes about as long as writing one.
 */
int handover_store_check(struct handover_store *s, struct err *err);

/**
 * handover_store_write() - Make or replace the record.
 *
 * One that isn't settled keeps the settled record before it; a settled one
 * forgets that.
 */
int handover_store_write(struct handover_store *s,
			 const struct handover_record *r, struct err *err);

/**
 * handover_store_remove() - Remove the record; of one that isn't settled go
 * back to the settled one before it.  0 if there is none, too.
 */
int handover_store_remove(struct handover_store *s, struct err *err);

/**
 * handover_store_undo() - A handover came to nothing: remove its record.
 *
 * If it was never written, what is there is the settled record of the handover
 * before, which still holds.
 */
int handover_store_undo(struct handover_store *s, struct err *err);

/**
 * handover_store_read() - The record.
 *
 * Return: 0; -ENOENT: there is none; -EBADMSG: what is there can't be read, and
 * must not be passed over; or -errno.  With words in @err but for -ENOENT.
 */
int handover_store_read(struct handover_store *s, struct handover_record *r,
			struct err *err);

/**
 * handover_store_peek() - The same without the lock, for umig status.
 * @alive: set to whether a process has the VM's name locked.
 *
 * Return: as handover_store_read(); -ENXIO: no process has ever had that name
 * there, so that nothing follows from there being no record; or -errno if it
 * can't be seen whether one has.
 */
int handover_store_peek(const char *dir, const char *name,
			struct handover_record *r, bool *alive,
			struct err *err);

/**
 * handover_store_admit() - May this process begin?  See
 * handover_record_refuse().
 */
int handover_store_admit(struct handover_store *s, bool boot,
			 struct err *err);

#endif
