// SPDX-License-Identifier: GPL-2.0
/*
 * KSM's settings and progress, and advice: see ksm_state.h.
 */
#include "mem/ksm_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/number.h"

/* Beyond that ksmd would use most of a core. */
#define PAGES_TO_SCAN_MAX 20000

static int read_text(const char *dir, const char *name, char *to, size_t room)
{
	char path[4096];
	int rc = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	if (!fgets(to, room, f))
		rc = ferror(f) ? -EIO : -EINVAL;
	fclose(f);
	if (!rc)
		to[strcspn(to, "\n")] = '\0';
	return rc;
}

static int read_number(const char *dir, const char *name, uint64_t *out)
{
	char text[64];
	int rc = read_text(dir, name, text, sizeof(text));

	return rc ? rc : number_parse(text, out);
}

/* "[none] scan-time": what is chosen is in brackets. */
static void read_advisor(const char *dir, struct ksm_state *out)
{
	char text[64];

	if (read_text(dir, "advisor_mode", text, sizeof(text)) ||
	    read_number(dir, "advisor_target_scan_time",
			&out->advisor_target_scan_time))
		return;
	out->has_advisor = true;
	out->advises = strstr(text, "[scan-time]");
}

int ksm_state_read(const char *dir, struct ksm_state *out, struct err *err)
{
	const struct {
		const char *name;
		uint64_t *to;
	} files[] = {
		{ "run", &out->run },
		{ "pages_shared", &out->pages_shared },
		{ "pages_sharing", &out->pages_sharing },
		{ "pages_unshared", &out->pages_unshared },
		{ "pages_volatile", &out->pages_volatile },
		{ "full_scans", &out->full_scans },
		{ "pages_to_scan", &out->pages_to_scan },
		{ "sleep_millisecs", &out->sleep_millisecs },
	};
	size_t i;
	int rc;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		rc = read_number(dir, files[i].name, files[i].to);
		if (rc == -ENOENT)
			return err_set(err, rc,
				       "%s/%s: there is none: this kernel has no KSM (CONFIG_KSM)",
				       dir, files[i].name);
		if (rc)
			return err_set(err, rc, "%s/%s: %s", dir,
				       files[i].name, strerror(-rc));
	}
	read_advisor(dir, out);
	return 0;
}

uint64_t ksm_state_pages(const struct ksm_state *ksm)
{
	return ksm->pages_shared + ksm->pages_sharing + ksm->pages_unshared +
	       ksm->pages_volatile;
}

uint64_t ksm_state_pass_s(const struct ksm_state *ksm)
{
	double wakeups;

	if (!ksm->pages_to_scan)
		return UINT64_MAX;
	wakeups = (double)ksm_state_pages(ksm) / (double)ksm->pages_to_scan;
	return (uint64_t)(wakeups * (double)ksm->sleep_millisecs / 1000);
}

/* To two digits, so that nobody takes it for more exact than it is. */
static uint64_t round_up(uint64_t n)
{
	uint64_t unit = 1;

	while (n / unit >= 100)
		unit *= 10;
	return (n + unit - 1) / unit * unit;
}

/* pages_to_scan for a good pass; 0: it can't be had with this sleep. */
static uint64_t better_pages_to_scan(const struct ksm_state *ksm)
{
	uint64_t n = round_up((uint64_t)
		((double)ksm_state_pages(ksm) / KSM_PASS_GOOD_S *
		 (double)ksm->sleep_millisecs / 1000) + 1);

	return n <= PAGES_TO_SCAN_MAX ? n : 0;
}

static void advise_faster(const struct ksm_state *ksm, uint64_t pass_s,
			  char *to, size_t room)
{
	uint64_t n = better_pages_to_scan(ksm);
	int at = snprintf(to, room,
			  "ksmd needs %" PRIu64 " s for a pass, twice that until new pages are merged: ",
			  pass_s);

	to += at < (int)room ? (size_t)at : room - 1;
	room -= at < (int)room ? (size_t)at : room - 1;
	if (ksm->advises)
		snprintf(to, room,
			 "echo %d > " KSM_DIR "/advisor_target_scan_time, and more CPU in advisor_max_cpu",
			 KSM_PASS_GOOD_S);
	else if (ksm->has_advisor)
		snprintf(to, room,
			 "echo scan-time > " KSM_DIR "/advisor_mode");
	else if (n)
		snprintf(to, room, "echo %" PRIu64 " > " KSM_DIR
			 "/pages_to_scan", n);
	else
		snprintf(to, room, "echo %d > " KSM_DIR
			 "/pages_to_scan, and less than %" PRIu64
			 " in sleep_millisecs", PAGES_TO_SCAN_MAX,
			 ksm->sleep_millisecs);
}

bool ksm_state_advice(const struct ksm_state *ksm, char *to, size_t room)
{
	uint64_t pass_s = ksm_state_pass_s(ksm);

	if (ksm->run != 1)
		snprintf(to, room, "KSM is %s, no page is merged: echo 1 > "
			 KSM_DIR "/run",
			 ksm->run == 2 ? "set to un-merge" : "off");
	else if (!ksm->pages_to_scan)
		snprintf(to, room,
			 "ksmd scans no pages at all: echo 1000 > " KSM_DIR
			 "/pages_to_scan");
	else if (pass_s > KSM_PASS_SLOW_S)
		advise_faster(ksm, pass_s, to, room);
	else
		return false;
	return true;
}
