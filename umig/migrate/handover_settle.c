// SPDX-License-Identifier: GPL-2.0
/*
 * Settling a handover by its record, when no process is left that could: see
 * handover.h.
 */
#include <errno.h>

#include "migrate/handover.h"

static int act(struct handover_store *s, struct handover_record *r,
	       enum handover_action action, struct err *err)
{
	if (action == HANDOVER_REMOVE_RECORD)
		return handover_store_remove(s, err);
	r->phase = handover_record_state(r) == SOURCE_RECORDED ?
			   HANDOVER_PHASE_MOVED : HANDOVER_PHASE_STARTED;
	return handover_store_write(s, r, err);
}

int handover_settle(struct handover_store *s, bool moved, struct err *err)
{
	struct handover_record r;
	struct handover_step step;
	char what[256];
	int rc = handover_store_read(s, &r, err);

	if (rc == -ENOENT)
		return err_set(err, rc,
			       "there is nothing to settle: %s has no record of a handover on this host",
			       handover_store_name(s));
	if (rc)
		return rc;
	step = handover_next(handover_record_state(&r),
			     moved ? HANDOVER_SAID_MOVED :
				     HANDOVER_SAID_STAYED);
	if (step.to)
		return act(s, &r, step.action[0], err);
	handover_record_tell(&r, what, sizeof(what));
	return err_set(err, -ENOENT, "there is nothing to settle: %s: %s",
		       r.name, what);
}
