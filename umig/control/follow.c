// SPDX-License-Identifier: GPL-2.0
/*
 * Following a migration to its end: see follow.h.
 */
#include "control/follow.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "control/progress.h"
#include "control/report.h"
#include "lib/clock.h"
#include "lib/log.h"

#define LIVE_INTERVAL_MS 250
#define PLAIN_INTERVAL_MS 5000
#define LINE_MAX_BYTES 240

/**
 * struct follow - One migration being watched.
 * @signal_fd: SIGINT and SIGTERM.
 * @tty: stderr is a terminal.
 * @shown: a line is standing there, to be written over.
 * @cancelled: we have asked for it to be cancelled.
 * @outcome: the last word, owned; NULL: none yet.
 */
struct follow {
	struct control_client *client;
	int signal_fd;
	bool tty;
	bool shown;
	bool cancelled;
	struct progress progress;
	json_t *outcome;
};

static void clear_line(struct follow *f)
{
	if (f->shown)
		fputs("\r\033[K", stderr);
	f->shown = false;
}

static void show(struct follow *f, const json_t *report)
{
	char line[LINE_MAX_BYTES];

	if (!*report_status(report))
		return;
	progress_line(&f->progress, report, clock_now_ns(), f->tty, line,
		      sizeof(line));
	if (!f->tty) {
		log_info("%s", line);
		return;
	}
	fprintf(stderr, "\r%s\033[K", line);
	f->shown = true;
}

static int poll_progress(struct follow *f, struct err *err)
{
	json_t *report = NULL;
	int rc = client_call(f->client, "query-migrate", NULL, &report, err);

	if (!rc)
		show(f, report);
	json_decref(report);
	return rc;
}

/* 0: go on; -ECANCELED: stop watching. */
static int take_signal(struct follow *f)
{
	struct signalfd_siginfo info;
	struct err err = { 0 };

	if (read(f->signal_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	clear_line(f);
	if (f->cancelled) {
		log_warn("not watching any more; umig status shows how it ends");
		return -ECANCELED;
	}
	f->cancelled = true;
	log_info("cancelling; once more to stop watching");
	if (client_call(f->client, "migrate_cancel", NULL, NULL, &err))
		log_warn("%s", err_text(&err));
	return 0;
}

static bool is_outcome(const char *status)
{
	static const char *const last[] = {
		"completed", "failed", "cancelled", "handover-unknown",
	};
	size_t i;

	for (i = 0; i < sizeof(last) / sizeof(last[0]); i++)
		if (!strcmp(status, last[i]))
			return true;
	return false;
}

static void take_event(struct follow *f, const json_t *event)
{
	json_t *data = json_object_get(event, "data");

	if (strcmp(report_text(event, "event"), "MIGRATION"))
		return;
	if (is_outcome(report_status(data))) {
		f->outcome = json_incref(data);
	} else if (!f->tty) {
		log_info("%s", report_status(data));
	}
}

static int watch(struct follow *f, struct err *err)
{
	uint64_t interval_ns = (f->tty ? LIVE_INTERVAL_MS : PLAIN_INTERVAL_MS) *
			       1000000ULL;
	uint64_t next_ns = clock_now_ns() + interval_ns;
	json_t *event;
	int rc = 0;

	while (!rc && !f->outcome) {
		uint64_t now = clock_now_ns();

		event = NULL;
		rc = client_event(f->client, f->signal_fd,
				  now < next_ns ? (next_ns - now) / 1000000 : 0,
				  &event, err);
		if (rc < 0)
			return rc;
		if (rc)
			take_event(f, event);
		json_decref(event);
		rc = take_signal(f);
		if (rc || f->outcome || clock_now_ns() < next_ns)
			continue;
		rc = poll_progress(f, err);
		next_ns = clock_now_ns() + interval_ns;
	}
	return rc;
}

/* The last word may have come just before the connection went. */
static void take_kept_events(struct follow *f)
{
	json_t *event = NULL;

	while (!f->outcome &&
	       client_event(f->client, -1, 0, &event, NULL) == 1) {
		take_event(f, event);
		json_decref(event);
	}
}

static enum exit_code code_of(const char *status)
{
	if (!strcmp(status, "completed"))
		return EXIT_CODE_OK;
	if (!strcmp(status, "handover-unknown"))
		return EXIT_CODE_UNKNOWN;
	return EXIT_CODE_MIGRATION;
}

static void print_json(const json_t *outcome)
{
	json_dumpf(outcome, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	putchar('\n');
	fflush(stdout);
}

static enum exit_code tell_outcome(const json_t *outcome, bool json)
{
	const char *status = report_status(outcome);

	if (json)
		print_json(outcome);
	else
		progress_table(outcome, stdout);
	fflush(stdout);
	if (!strcmp(status, "handover-unknown"))
		log_error("it is not known whether the guest runs at the destination: look there; if it does, umig settle --moved; if not, end umig listen there first, then umig settle --stayed");
	else if (strcmp(status, "completed"))
		log_error("migration %s, the guest is at the source: %s",
			  status, report_text(outcome, "error"));
	return code_of(status);
}

enum exit_code follow_failed(const struct err *err, bool unknown, bool json)
{
	struct migrate_report report = {
		.state = unknown ? MIGRATE_HANDOVER_UNKNOWN : MIGRATE_FAILED,
	};
	json_t *outcome;

	log_error("%s", err_text(err));
	if (json) {
		snprintf(report.error, sizeof(report.error), "%s",
			 err_text(err));
		outcome = report_to_json(&report, false);
		print_json(outcome);
		json_decref(outcome);
	}
	return unknown ? EXIT_CODE_UNKNOWN : EXIT_CODE_FAILED;
}

static int open_signals(struct follow *f)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	f->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return f->signal_fd < 0 ? -errno : 0;
}

static enum exit_code follow(struct follow *f, json_t *taken, bool json)
{
	struct err err = { 0 }, lost = { 0 };
	int rc;

	if (client_call(f->client, "migrate", taken, NULL, &err))
		return follow_failed(&err, false, json);
	/* News of an earlier migration, which this one had to wait for. */
	client_forget_events(f->client);
	rc = watch(f, &err);
	if (rc && rc != -ECANCELED)
		take_kept_events(f);
	clear_line(f);
	if (f->outcome)
		return tell_outcome(f->outcome, json);
	if (rc == -ECANCELED)
		err_set(&lost, rc, "stopped watching a migration under way");
	else
		err_set(&lost, rc,
			"%.200s; where the guest is isn't known: look at the destination before starting it again",
			err_text(&err));
	return follow_failed(&lost, true, json);
}

enum exit_code follow_migration(struct control_client *c, json_t *taken,
				bool json)
{
	struct follow f = {
		.client = c,
		.signal_fd = -1,
		.tty = isatty(STDERR_FILENO),
	};
	struct err err = { 0 };
	enum exit_code code;
	int rc = open_signals(&f);

	if (rc) {
		json_decref(taken);
		err_set(&err, rc, "no signalfd: %s", strerror(-rc));
		return follow_failed(&err, false, json);
	}
	code = follow(&f, taken, json);
	json_decref(f.outcome);
	close(f.signal_fd);
	return code;
}
