// SPDX-License-Identifier: GPL-2.0
/*
 * Commands that ask a VM's process one thing: see ask.h.
 */
#include "control/ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/client.h"
#include "control/progress.h"
#include "control/report.h"
#include "lib/clock.h"
#include "lib/log.h"

static void print_migration(const json_t *migration)
{
	const char *status = report_status(migration);
	struct progress progress = { 0 };
	char line[160];

	if (!*status)
		return;
	/* only while pages flow is there more to say than its state */
	snprintf(line, sizeof(line), "%s", status);
	if (!strcmp(status, "precopy") || !strcmp(status, "stopping"))
		progress_line(&progress, migration, clock_now_ns(), false,
			      line, sizeof(line));
	printf("migration  %s\n", line);
	if (*report_text(migration, "error"))
		printf("error      %s\n", report_text(migration, "error"));
	if (*report_text(migration, "warning"))
		printf("warning    %s\n", report_text(migration, "warning"));
}

static void print_text(const json_t *status, const json_t *migration)
{
	const char *why = report_text(status, "why");
	json_t *reason;
	size_t i;

	printf("name       %s\n", report_text(status, "name"));
	if (*report_text(status, "group"))
		printf("group      %s\n", report_text(status, "group"));
	printf("process    %.0f\n", report_number(status, NULL, "pid"));
	printf("state      %s%s%s\n", report_status(status),
	       *why ? ": " : "", why);
	json_array_foreach(json_object_get(status, "reasons"), i, reason)
		printf("paused by  %s\n", json_string_value(reason));
	print_migration(migration);
}

static int print_state(struct control_client *c, bool json, struct err *err)
{
	json_t *status = NULL, *migration = NULL;
	int rc = client_call(c, "query-status", NULL, &status, err);

	if (!rc)
		rc = client_call(c, "query-migrate", NULL, &migration, err);
	if (!rc && json) {
		json_object_set(status, "migration", migration);
		json_dumpf(status, stdout,
			   JSON_INDENT(2) | JSON_REAL_PRECISION(15));
		putchar('\n');
	} else if (!rc) {
		print_text(status, migration);
	}
	json_decref(status);
	json_decref(migration);
	return rc;
}

enum exit_code ask(const char *path, const char *command, json_t *taken,
		   bool json)
{
	struct control_client *c = NULL;
	struct err err = { 0 };
	int rc = client_open(&c, path, &err);

	if (rc)
		json_decref(taken);
	else if (command)
		rc = client_call(c, command, taken, NULL, &err);
	if (!rc)
		rc = print_state(c, json, &err);
	client_close(c);
	if (!rc)
		return EXIT_CODE_OK;
	log_error("%s", err_text(&err));
	return EXIT_CODE_FAILED;
}

enum exit_code ask_quit(const char *path, bool json)
{
	struct control_client *c = NULL;
	struct err err = { 0 };
	int rc = client_open(&c, path, &err);

	if (!rc)
		rc = client_call(c, "quit", NULL, NULL, &err);
	/* It has ended when it hangs up. */
	while (!rc) {
		json_t *event = NULL;

		rc = client_event(c, -1, 60000, &event, NULL);
		json_decref(event);
		if (!rc)
			rc = err_set(&err, -ETIMEDOUT,
				     "control socket %s: the VM's process was told to quit and has not ended for 60 s",
				     path);
		rc = rc > 0 ? 0 : rc;
	}
	client_close(c);
	if (rc == -EPIPE && !err.code) {
		if (json)
			puts("{}");
		return EXIT_CODE_OK;
	}
	log_error("%s", err_text(&err));
	return EXIT_CODE_FAILED;
}
