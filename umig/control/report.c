// SPDX-License-Identifier: GPL-2.0
/*
 * A migration's report as JSON: see report.h.
 */
#include "control/report.h"

#include "control/protocol.h"

/* Milliseconds, to the microsecond. */
static double ms(uint64_t ns)
{
	uint64_t us = ns / 1000;

	return us / 1e3;
}

static json_int_t num(uint64_t v)
{
	return v > INT64_MAX ? INT64_MAX : (json_int_t)v;
}

static json_t *pages_json(const struct migrate_report *r, bool live)
{
	json_t *pages = json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"total", num(r->pages_total), "zero", num(r->pages_zero),
		"held", num(r->pages_held),
		"duplicate", num(r->pages_duplicate),
		"plain", num(r->pages_plain), "resent", num(r->pages_resent),
		"delta", num(r->pages_delta),
		"dirtied", num(r->pages_dirtied));

	if (live && json_object_set_new(pages, "remaining",
				json_integer(num(r->pages_remaining)))) {
		json_decref(pages);
		return NULL;
	}
	return pages;
}

static json_t *index_json(const struct migrate_report *r)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "offered", num(r->index_offered),
			 "confirmed", num(r->index_confirmed),
			 "refused", num(r->index_refused),
			 "unproven", num(r->index_unproven),
			 "shared", num(r->index_shared),
			 "cancelled", num(r->index_cancelled),
			 "hashed", num(r->index_hashed),
			 "merged", num(r->index_merged));
}

static json_t *blackout_json(const struct migrate_report *r)
{
	return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}",
			 "predicted_ms", ms(r->predicted_ns),
			 "stop_ms", ms(r->stop_ns),
			 "last_round_ms", ms(r->last_round_ns),
			 "state_ms", ms(r->state_ns),
			 "handover_ms", ms(r->handover_ns),
			 "start_ms", ms(r->start_ns));
}

static json_t *pace_json(const struct migrate_report *r, bool live)
{
	if (!live)
		return json_pack("{s:I}", "throttle_pages_s",
				 num(r->throttle_pages_s));
	return json_pack("{s:I, s:I, s:I, s:f}",
			 "throttle_pages_s", num(r->throttle_pages_s),
			 "bytes_s", num(r->bytes_s),
			 "dirtied_s", num(r->dirtied_s),
			 "end_ms", ms(r->end_ns));
}

static json_t *link_json(const struct migrate_report *r)
{
	return json_pack("{s:b, s:s, s:o}", "sealed", r->sealed,
			 "cipher", r->cipher,
			 "peer", protocol_text(r->peer));
}

/* "o" takes the object over, also when the whole fails. */
json_t *report_to_json(const struct migrate_report *r, bool live)
{
	return json_pack(
		"{s:s, s:o, s:o, s:b, s:f, s:f, s:f, s:f, s:s, s:o, s:o, s:I, s:s, s:o, s:{s:I, s:I, s:I}, s:o, s:o, s:b}",
		"status", migrate_state_name(r->state),
		"error", protocol_text(r->error),
		"warning", protocol_text(r->warning),
		"incoming", r->incoming,
		"total_ms", ms(r->total_ns),
		"downtime_ms", ms(r->downtime_ns),
		"verify_ms", ms(r->verify_ns),
		"setup_ms", ms(r->setup_ns),
		"stop_reason", r->stop_reason,
		"blackout", blackout_json(r),
		"pace", pace_json(r, live),
		"rounds", num(r->rounds),
		"dirty_source", r->dirty_source,
		"pages", pages_json(r, live),
		"bytes",
			"wire_tx", num(r->bytes_tx),
			"wire_rx", num(r->bytes_rx),
			"plain_equivalent", num(r->bytes_plain_equivalent),
		"index", index_json(r),
		"link", link_json(r),
		"verified", r->verified);
}

const char *report_text(const json_t *report, const char *name)
{
	const char *text = json_string_value(json_object_get(report, name));

	return text ? text : "";
}

const char *report_status(const json_t *report)
{
	return report_text(report, "status");
}

double report_number(const json_t *report, const char *group,
		     const char *name)
{
	if (group)
		report = json_object_get(report, group);
	return json_number_value(json_object_get(report, name));
}
