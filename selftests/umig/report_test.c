// SPDX-License-Identifier: GPL-2.0
/*
 * The report as JSON has every member that is promised, with the value that
 * belongs there, and people's views of it say the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/mailbox.h"
#include "control/progress.h"
#include "control/report.h"

/* Every value differs, so that none can stand in another's place. */
static const struct migrate_report report = {
	.state = MIGRATE_COMPLETED,
	.error = "an error",
	.warning = "a warning",
	.verified = true,
	.sealed = true,
	.cipher = "a cipher",
	.peer = "a peer",
	.total_ns = 12345678900,
	.setup_ns = 1234567,
	.downtime_ns = 85300000,
	.verify_ns = 250000000,
	.rounds = 4,
	.stop_reason = "fits",
	.predicted_ns = 44000000,
	.stop_ns = 1100000,
	.last_round_ns = 20200000,
	.state_ns = 3300000,
	.handover_ns = 40400000,
	.start_ns = 5500000,
	.throttle_pages_s = 110,
	.bytes_s = 111,
	.dirtied_s = 112,
	.end_ns = 113000000,
	.dirty_source = "ring",
	.pages_total = 65536,
	.pages_zero = 30000,
	.pages_held = 20000,
	.pages_duplicate = 5000,
	.pages_plain = 10536,
	.pages_resent = 101,
	.pages_delta = 99,
	.pages_dirtied = 102,
	.pages_remaining = 103,
	.bytes_tx = 50000000,
	.bytes_rx = 104,
	.bytes_plain_equivalent = 200000000,
	.index_offered = 105,
	.index_confirmed = 106,
	.index_refused = 107,
	.index_cancelled = 108,
	.index_unproven = 109,
	.index_hashed = 900,
	.index_merged = 1000,
};

static const char *const promised[][3] = {
	{ NULL, "total_ms", "12345.678" },
	{ NULL, "setup_ms", "1.234" },
	{ NULL, "downtime_ms", "85.3" },
	{ NULL, "verify_ms", "250" },
	{ NULL, "rounds", "4" },
	{ "blackout", "predicted_ms", "44" },
	{ "blackout", "stop_ms", "1.1" },
	{ "blackout", "last_round_ms", "20.2" },
	{ "blackout", "state_ms", "3.3" },
	{ "blackout", "handover_ms", "40.4" },
	{ "blackout", "start_ms", "5.5" },
	{ "pace", "throttle_pages_s", "110" },
	{ "pages", "total", "65536" },
	{ "pages", "zero", "30000" },
	{ "pages", "held", "20000" },
	{ "pages", "duplicate", "5000" },
	{ "pages", "plain", "10536" },
	{ "pages", "resent", "101" },
	{ "pages", "delta", "99" },
	{ "pages", "dirtied", "102" },
	{ "bytes", "wire_tx", "50000000" },
	{ "bytes", "wire_rx", "104" },
	{ "bytes", "plain_equivalent", "200000000" },
	{ "index", "offered", "105" },
	{ "index", "confirmed", "106" },
	{ "index", "refused", "107" },
	{ "index", "cancelled", "108" },
	{ "index", "unproven", "109" },
	{ "index", "hashed", "900" },
	{ "index", "merged", "1000" },
};

#define PROMISED (sizeof(promised) / sizeof(promised[0]))

static void it_says_who_is_at_the_other_end(void **state)
{
	json_t *json = report_to_json(&report, false);
	json_t *link = json_object_get(json, "link");

	(void)state;
	assert_true(json_is_true(json_object_get(link, "sealed")));
	assert_string_equal(report_text(link, "cipher"), "a cipher");
	assert_string_equal(report_text(link, "peer"), "a peer");
	json_decref(json);
}

static void every_number_is_there(void **state)
{
	json_t *json = report_to_json(&report, false);
	size_t i;

	(void)state;
	assert_non_null(json);
	for (i = 0; i < PROMISED; i++) {
		const char *const *p = promised[i];
		json_t *in = p[0] ? json_object_get(json, p[0]) : json;

		if (!json_is_number(json_object_get(in, p[1])))
			fail_msg("%s is no number", p[1]);
		if (report_number(json, p[0], p[1]) != strtod(p[2], NULL))
			fail_msg("%s is not %s", p[1], p[2]);
	}
	json_decref(json);
}

static void every_word_is_there(void **state)
{
	json_t *json = report_to_json(&report, false);

	(void)state;
	assert_string_equal(report_status(json), "completed");
	assert_string_equal(report_text(json, "error"), "an error");
	assert_string_equal(report_text(json, "warning"), "a warning");
	assert_string_equal(report_text(json, "dirty_source"), "ring");
	assert_string_equal(report_text(json, "stop_reason"), "fits");
	assert_true(json_is_true(json_object_get(json, "verified")));
	assert_true(json_is_false(json_object_get(json, "incoming")));
	json_decref(json);
}

static void what_remains_is_for_the_living(void **state)
{
	json_t *live = report_to_json(&report, true);
	json_t *ended = report_to_json(&report, false);

	(void)state;
	assert_int_equal(report_number(live, "pages", "remaining"), 103);
	assert_int_equal(report_number(live, "pace", "bytes_s"), 111);
	assert_int_equal(report_number(live, "pace", "dirtied_s"), 112);
	assert_int_equal(report_number(live, "pace", "end_ms"), 113);
	assert_null(json_object_get(json_object_get(ended, "pace"), "end_ms"));
	assert_null(json_object_get(json_object_get(ended, "pages"),
				    "remaining"));
	json_decref(live);
	json_decref(ended);
}

static void milliseconds_have_no_tail(void **state)
{
	json_t *json = report_to_json(&report, false);
	char *text = json_dumps(json, REPORT_JSON_FLAGS);

	(void)state;
	assert_non_null(strstr(text, "\"total_ms\":12345.678,"));
	assert_non_null(strstr(text, "\"downtime_ms\":85.3,"));
	free(text);
	json_decref(json);
}

/* Words that a peer sent can't cost us the report. */
static void words_that_are_no_utf8(void **state)
{
	struct migrate_report r = report;
	json_t *json;

	(void)state;
	strcpy(r.error, "the peer says \xff\xfe");
	json = report_to_json(&r, false);
	assert_non_null(json);
	assert_string_equal(report_text(json, "error"), "the peer says ??");
	json_decref(json);
}

static void an_empty_report_is_one(void **state)
{
	struct migrate_report r = { .state = MIGRATE_SETUP };
	json_t *json = report_to_json(&r, true);
	struct progress p = { 0 };
	char line[160];

	(void)state;
	assert_string_equal(report_status(json), "setup");
	progress_line(&p, json, 1, true, line, sizeof(line));
	assert_non_null(strstr(line, "setup"));
	json_decref(json);
	/* nothing at all, as from a process of another version */
	progress_line(&p, NULL, 2, true, line, sizeof(line));
	json = json_object();
	progress_line(&p, json, 3, false, line, sizeof(line));
	json_decref(json);
}

static void the_line_says_how_far(void **state)
{
	struct migrate_report r = report;
	struct progress p = { 0 };
	char line[160];
	json_t *json;

	(void)state;
	r.state = MIGRATE_PRECOPY;
	r.pages_remaining = 16384;
	json = report_to_json(&r, true);
	progress_line(&p, json, 1000000000, true, line, sizeof(line));
	json_decref(json);
	r.bytes_tx += 64 << 20;
	r.bytes_plain_equivalent = r.bytes_tx * 4;
	json = report_to_json(&r, true);
	progress_line(&p, json, 3000000000, true, line, sizeof(line));
	json_decref(json);
	assert_string_equal(line,
		"precopy: round 4, [###############.....] 75%, 32 MiB/s, 64 MiB remaining, 75% saved, dirtying 448 KiB/s (slowed), 113.0 ms to go");
}

static void the_table_says_it_all(void **state)
{
	static const char *const says[] = {
		"migration completed: an error", "warning: a warning",
		"12.35 s", "1.2 ms", "85.3 ms", "250.0 ms", "by ring",
		"30000", "20000", "5000", "10536", "65536", "101",
		"900 of 1000", "90.0%", "25.0%", "105 offered",
		"106 confirmed", "refused 107", "cancelled 108",
		"all memory equal", "stop 1.1 ms, last round 20.2 ms",
		"state 3.3 ms, handover 40.4 ms, start 5.5 ms",
		"decided by  fits; predicted: 44.0 ms",
	};
	json_t *json = report_to_json(&report, false);
	char *text = NULL;
	size_t bytes, i;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	progress_table(json, out);
	fclose(out);
	for (i = 0; i < sizeof(says) / sizeof(says[0]); i++)
		if (!strstr(text, says[i]))
			fail_msg("the table has no \"%s\":\n%s", says[i], text);
	free(text);
	json_decref(json);
}

/* The last word arrives, however many there were. */
static void a_full_mailbox_keeps_the_end(void **state)
{
	struct migrate_report r = report, got = { 0 };
	struct mailbox box;
	unsigned int i, taken = 0;

	(void)state;
	assert_int_equal(mailbox_open(&box), 0);
	assert_false(mailbox_take(&box, &got));
	for (i = 0; i < 3 * MAILBOX_REPORTS; i++) {
		r.rounds = i;
		mailbox_put(&box, &r);
	}
	while (mailbox_take(&box, &got))
		taken++;
	assert_int_equal(taken, MAILBOX_REPORTS);
	assert_int_equal(got.rounds, 3 * MAILBOX_REPORTS - 1);
	mailbox_close(&box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_says_who_is_at_the_other_end),
		cmocka_unit_test(every_number_is_there),
		cmocka_unit_test(every_word_is_there),
		cmocka_unit_test(what_remains_is_for_the_living),
		cmocka_unit_test(milliseconds_have_no_tail),
		cmocka_unit_test(words_that_are_no_utf8),
		cmocka_unit_test(an_empty_report_is_one),
		cmocka_unit_test(the_line_says_how_far),
		cmocka_unit_test(the_table_says_it_all),
		cmocka_unit_test(a_full_mailbox_keeps_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
