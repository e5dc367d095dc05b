// SPDX-License-Identifier: GPL-2.0
/*
 * What the module costs ksmd, and what its worker takes beside.  ksmd merges the
 * same contents with the module and without it, by turns, from nothing each
 * time; its scans are started one by one, so that it does the same each time.
 *
 * The worker is the module's own thread and is counted apart.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "kmod_perf.h"
#include "measure.h"
#include "selftests/kmod/dev.h"
#include "selftests/kmod/harness.h"
#include "selftests/kmod/ksm.h"

#define SEED 60000
#define ROUNDS 7
#define MAX_SCANS 10

struct merging {
	uint64_t ksmd_ns;	/* CPU time */
	uint64_t worker_ns;
	uint64_t wall_ns;	/* till all is merged, and hashed */
	unsigned int scans;
};

static bool nothing_merged(void *arg)
{
	(void)arg;
	return !ksm_read("pages_shared") && !ksm_read("pages_sharing");
}

static bool scan_ended(void *arg)
{
	return ksm_read("full_scans") != *(long *)arg;
}

/* Wakes ksmd for one scan of everything, and waits for its end. */
static void scan_once(void)
{
	static long sleep_ms = 1000000;
	long scans = ksm_read("full_scans");

	ksm_write("sleep_millisecs", ++sleep_ms);
	if (!wait_until(scan_ended, &scans, MERGE_TIMEOUT_MS))
		bail("ksmd doesn't scan");
}

static void merge_all(const struct region *r, struct merging *m)
{
	ksm_write("run", 1);
	for (m->scans = 0; walk_count(r->base, PAGES) < PAGES; m->scans++) {
		if (m->scans == MAX_SCANS)
			bail("%d scans don't merge the region", MAX_SCANS);
		scan_once();
	}
	ksm_write("run", 0);
}

/* The worker's part, after ksmd's. */
static void settle(int dev)
{
	if (!dev_settle(dev))
		bail("the index doesn't settle");
	if (dev_stat(dev).hook_inserts < CONTENTS)
		bail("the hooks weren't hit");
}

static struct merging merge_with(int dev)
{
	struct merging m = { 0 };
	uint64_t began = now_ns();
	pid_t ksmd = task_called("ksmd");
	uint64_t start = task_ns(ksmd);
	struct region r;

	ksm_write("pages_to_scan", 1000000);
	ksm_write("sleep_millisecs", 1000000);
	region_map(&r, PAGES, CONTENTS, SEED);
	merge_all(&r, &m);
	m.ksmd_ns = task_ns(ksmd) - start;
	if (dev >= 0) {
		settle(dev);
		m.worker_ns = task_ns(task_called("umig_hash"));
	}
	m.wall_ns = now_ns() - began;
	region_unmap(&r);
	return m;
}

static struct merging merge_from_nothing(bool loaded)
{
	struct merging m;
	int dev = -1;

	module_unload();
	ksm_reset();
	if (!wait_until(nothing_merged, NULL, MERGE_TIMEOUT_MS))
		bail("pages are still merged");
	if (loaded)
		dev = dev_fresh("");
	m = merge_with(dev);
	if (dev >= 0)
		close(dev);
	return m;
}

/* A round's two, and none is always the first. */
static void merge_both(struct merging both[2], unsigned int round)
{
	unsigned int i, loaded;

	for (i = 0; i < 2; i++) {
		loaded = (i + round) % 2;
		both[loaded] = merge_from_nothing(loaded);
	}
	if (both[0].scans != both[1].scans)
		bail("ksmd took %u scans without the module and %u with it",
		     both[0].scans, both[1].scans);
}

/* "name_ns": the median of all rounds, "name_least_ns". */
static void report(const char *name, struct merging all[ROUNDS][2],
		   unsigned int loaded,
		   uint64_t (*what)(const struct merging *m))
{
	uint64_t sample[ROUNDS];
	unsigned int i;

	for (i = 0; i < ROUNDS; i++)
		sample[i] = what(&all[i][loaded]);
	/* It sorts: the least is the first. */
	printf("\"%s_ns\": %" PRIu64 ", ", name, median(sample, ROUNDS));
	printf("\"%s_least_ns\": %" PRIu64 ", ", name, sample[0]);
}

static uint64_t ksmd_ns(const struct merging *m)
{
	return m->ksmd_ns / PAGES;
}

static uint64_t worker_ns(const struct merging *m)
{
	return m->worker_ns / PAGES;
}

static double worker_share(struct merging all[ROUNDS][2])
{
	uint64_t ppm[ROUNDS];
	unsigned int i;

	for (i = 0; i < ROUNDS; i++)
		ppm[i] = all[i][1].worker_ns * 1000000 / all[i][1].wall_ns;
	return median(ppm, ROUNDS) / 1e6;
}

void ksmd_cost(void)
{
	struct merging all[ROUNDS][2];
	unsigned int i;

	merge_from_nothing(true);
	for (i = 0; i < ROUNDS; i++)
		merge_both(all[i], i);
	module_unload();
	report("ksmd", all, 1, ksmd_ns);
	report("ksmd_without", all, 0, ksmd_ns);
	report("worker", all, 1, worker_ns);
	printf("\"worker_share\": %.3f, ", worker_share(all));
}
