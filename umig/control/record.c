// SPDX-License-Identifier: GPL-2.0
/*
 * The state directory by command: see record.h.
 */
#include "control/record.h"

#include <errno.h>
#include <stdio.h>

#include <sodium.h>

#include "control/protocol.h"
#include "lib/log.h"
#include "migrate/handover.h"

/* @r: NULL: there is no record. */
static void print_json(const char *name, bool alive,
		       const struct handover_record *r)
{
	json_t *o = json_pack("{s:o, s:b, s:o}", "name", protocol_text(name),
			      "alive", alive, "handover",
			      r ? handover_record_json(r) : json_null());

	json_dumpf(o, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(o);
}

static void print_text(const char *name, bool alive,
		       const struct handover_record *r)
{
	char what[256], id[2 * HANDOVER_ID_BYTES + 1];

	printf("name       %s\n", name);
	printf("process    %s\n", alive ? "alive" : "none");
	if (!r) {
		printf("handover   none is recorded\n");
		return;
	}
	handover_record_tell(r, what, sizeof(what));
	printf("handover   %s: %s\n", handover_phase_name(r->phase), what);
	sodium_bin2hex(id, sizeof(id), r->id, sizeof(r->id));
	printf("migration  %s\n", id);
}

enum exit_code record_show(const char *dir, const char *name, bool json)
{
	struct handover_record r;
	struct err err = { 0 };
	bool alive = false;
	int rc = handover_store_peek(dir, name, &r, &alive, &err);

	if (rc && rc != -ENOENT) {
		log_error("%s", err_text(&err));
		return EXIT_CODE_FAILED;
	}
	if (json)
		print_json(name, alive, rc ? NULL : &r);
	else
		print_text(name, alive, rc ? NULL : &r);
	return EXIT_CODE_OK;
}

enum exit_code record_settle(const char *dir, const char *name, bool moved,
			     bool json)
{
	struct handover_store *s = NULL;
	struct handover_record r;
	struct err err = { 0 };
	bool alive;
	/* a lock that is made here would say that the VM had been here */
	int rc = handover_store_peek(dir, name, &r, &alive, &err);

	if (rc != -ENXIO) {
		err = (struct err){ 0 };
		rc = handover_store_open(&s, dir, name, &err);
	}
	if (rc == -EBUSY) {
		err = (struct err){ 0 };
		err_set(&err, rc,
			"%s: a process of this VM is alive: settle it there: umig settle --control SOCKET",
			name);
	}
	if (!rc)
		rc = handover_settle(s, moved, &err);
	handover_store_close(s);
	if (!rc)
		return record_show(dir, name, json);
	log_error("%s", err_text(&err));
	return EXIT_CODE_FAILED;
}
