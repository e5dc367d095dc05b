// SPDX-License-Identifier: GPL-2.0
/*
 * A migration for people: see progress.h.
 */
#include "control/progress.h"

#include <string.h>

#include "control/report.h"
#include "lib/number.h"
#include "mem/memslots.h"

#define BAR_CELLS 20
#define TEXT_MAX 32

/* Of a whole that a bar can show: 0 to 100. */
static double percent(double part, double whole)
{
	if (whole <= 0 || part <= 0)
		return 0;
	return part < whole ? 100 * part / whole : 100;
}

static const char *size(char *to, double bytes)
{
	return number_format_size(to, TEXT_MAX, bytes > 0 ? bytes : 0);
}

static const char *duration(char *to, double ms)
{
	return number_format_ns(to, TEXT_MAX, ms > 0 ? ms * 1e6 : 0);
}

/* Of what plain pre-copy would have sent. */
static double saved_percent(const json_t *r)
{
	double plain = report_number(r, "bytes", "plain_equivalent");
	double wire = report_number(r, "bytes", "wire_tx");

	return wire < plain ? percent(plain - wire, plain) : 0;
}

/* "32 MiB/s, ", or nothing: one look makes no rate. */
static const char *rate(struct progress *p, const json_t *r, uint64_t now_ns,
			char *to)
{
	double wire = report_number(r, "bytes", "wire_tx");
	double bytes = wire - p->wire_bytes;
	double seconds = (now_ns - p->at_ns) / 1e9;
	bool first = !p->at_ns;

	p->at_ns = now_ns;
	p->wire_bytes = wire;
	if (first || seconds <= 0)
		return "";
	size(to, bytes / seconds);
	return strcat(to, "/s, ");
}

/* ", dirtying 12 MiB/s", or nothing, and when it is about to end. */
static const char *outlook(const json_t *r, char *to, size_t room)
{
	double dirtied = report_number(r, "pace", "dirtied_s");
	double end_ms = report_number(r, "pace", "end_ms");
	bool held = report_number(r, "pace", "throttle_pages_s") > 0;
	char a[TEXT_MAX], b[TEXT_MAX] = "";
	int n = 0;

	*to = '\0';
	if (dirtied > 0)
		n = snprintf(to, room, ", dirtying %s/s%s",
			     size(a, dirtied * UMIG_PAGE_SIZE),
			     held ? " (slowed)" : "");
	if (end_ms > 0)
		snprintf(to + n, room - n, ", %s to go", duration(b, end_ms));
	return to;
}

void progress_line(struct progress *p, const json_t *r, uint64_t now_ns,
		   bool bar, char *to, size_t room)
{
	double total = report_number(r, "pages", "total");
	double left = report_number(r, "pages", "remaining");
	double done = percent(total - left, total);
	char cells[BAR_CELLS + 4] = "";
	char per_second[TEXT_MAX + 8], remaining[TEXT_MAX];
	char ahead[3 * TEXT_MAX];
	int filled = done * BAR_CELLS / 100;

	if (bar) {
		memset(cells, '.', BAR_CELLS + 2);
		memset(cells + 1, '#', filled);
		cells[0] = '[';
		cells[BAR_CELLS + 1] = ']';
		cells[BAR_CELLS + 2] = ' ';
	}
	snprintf(to, room,
		 "%s: round %.0f, %s%.0f%%, %s%s remaining, %.0f%% saved%s",
		 report_status(r), report_number(r, NULL, "rounds"), cells,
		 done, rate(p, r, now_ns, per_second),
		 size(remaining, left * UMIG_PAGE_SIZE), saved_percent(r),
		 outlook(r, ahead, sizeof(ahead)));
}

static void row_pages(const json_t *r, const char *name, const char *label,
		      const char *note, FILE *out)
{
	double n = report_number(r, "pages", name);
	char bytes[TEXT_MAX];

	fprintf(out, "  %-13s %10.0f  %9s  %5.1f%%  %s\n", label, n,
		size(bytes, n * UMIG_PAGE_SIZE),
		percent(n, report_number(r, "pages", "total")), note);
}

static void table_pages(const json_t *r, FILE *out)
{
	fprintf(out, "pages, by how their final content went\n");
	row_pages(r, "zero", "zero", "not sent", out);
	row_pages(r, "held", "held", "taken from what the destination had",
		  out);
	row_pages(r, "duplicate", "duplicate", "named by an earlier page",
		  out);
	row_pages(r, "plain", "plain", "sent whole", out);
	row_pages(r, "total", "all", "", out);
	row_pages(r, "resent", "re-sent", "since the guest wrote them", out);
}

static void table_wire(const json_t *r, FILE *out)
{
	double tx = report_number(r, "bytes", "wire_tx");
	double plain = report_number(r, "bytes", "plain_equivalent");
	char a[TEXT_MAX], b[TEXT_MAX];

	fprintf(out, "on the wire\n");
	fprintf(out, "  sent          %s; plain pre-copy: %s (%.1f%%)\n",
		size(a, tx), size(b, plain), percent(tx, plain));
	fprintf(out, "  received      %s\n",
		size(a, report_number(r, "bytes", "wire_rx")));
}

static void table_index(const json_t *r, FILE *out)
{
	double merged = report_number(r, "index", "merged");
	double hashed = report_number(r, "index", "hashed");

	if (!merged)
		return;	/* it was not used; the warning says why */
	fprintf(out, "index\n");
	fprintf(out,
		"  coverage      %.0f of %.0f merged pages of the source host had a digest (%.1f%%)\n",
		hashed, merged, percent(hashed, merged));
	fprintf(out,
		"  digests       %.0f offered, %.0f confirmed; pages refused %.0f, cancelled %.0f\n",
		report_number(r, "index", "offered"),
		report_number(r, "index", "confirmed"),
		report_number(r, "index", "refused"),
		report_number(r, "index", "cancelled"));
}

static void table_blackout(const json_t *r, FILE *out)
{
	static const char *const parts[][2] = {
		{ "stop_ms", "stop" }, { "last_round_ms", "last round" },
		{ "state_ms", "state" }, { "handover_ms", "handover" },
		{ "start_ms", "start" },
	};
	const char *why = report_text(r, "stop_reason");
	const char *comma = "";
	char a[TEXT_MAX];
	size_t i;

	if (!*why)
		return;
	fprintf(out, "    of it       ");
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++, comma = ", ")
		fprintf(out, "%s%s %s", comma, parts[i][1],
			duration(a, report_number(r, "blackout", parts[i][0])));
	fprintf(out, "\n    decided by  %s; predicted: %s\n", why,
		duration(a, report_number(r, "blackout", "predicted_ms")));
}

static void table_time(const json_t *r, FILE *out)
{
	char a[TEXT_MAX], b[TEXT_MAX];
	bool verified = json_is_true(json_object_get(r, "verified"));

	fprintf(out, "time\n");
	fprintf(out, "  total         %s, of it setup %s\n",
		duration(a, report_number(r, NULL, "total_ms")),
		duration(b, report_number(r, NULL, "setup_ms")));
	fprintf(out, "  downtime      %s\n",
		duration(a, report_number(r, NULL, "downtime_ms")));
	table_blackout(r, out);
	fprintf(out, "  verification  %s, the guest stood still%s\n",
		duration(a, report_number(r, NULL, "verify_ms")),
		verified ? "; all memory equal at both ends" :
			   "; memory was not compared");
	fprintf(out, "  rounds        %.0f, dirty pages by %s\n",
		report_number(r, NULL, "rounds"),
		report_text(r, "dirty_source"));
}

void progress_table(const json_t *r, FILE *out)
{
	const char *error = report_text(r, "error");
	const char *warning = report_text(r, "warning");

	fprintf(out, "migration %s%s%s\n", report_status(r),
		*error ? ": " : "", error);
	if (*warning)
		fprintf(out, "warning: %s\n", warning);
	table_time(r, out);
	table_pages(r, out);
	table_wire(r, out);
	table_index(r, out);
}
