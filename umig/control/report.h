/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A migration's report as JSON: the one place that says what the object of
 * `umig migrate --json`, query-migrate and the MIGRATION event looks like.
 * Documentation/control.rst describes every member.
 */
#ifndef UMIG_CONTROL_REPORT_H
#define UMIG_CONTROL_REPORT_H

#include <stdbool.h>

#include <jansson.h>

#include "migrate/migrate.h"

/**
 * REPORT_JSON_FLAGS - For json_dumps(): 15 digits keep milliseconds with three
 * decimals free of the tail that a binary fraction has at 17.
 */
#define REPORT_JSON_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15))

/**
 * report_to_json() - A new object, NULL if memory is short.
 * @live: with pages.remaining, which means something only under way.
 */
json_t *report_to_json(const struct migrate_report *report, bool live);

/** report_status() - Member "status" of such an object, "" if it has none. */
const char *report_status(const json_t *report);

/** report_number() - Member @name of member @group (NULL: of the top). */
double report_number(const json_t *report, const char *group,
		     const char *name);

/** report_text() - String member @name, "" if it has none. */
const char *report_text(const json_t *report, const char *name);

#endif
