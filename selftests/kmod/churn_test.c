// SPDX-License-Identifier: GPL-2.0
/*
 * Never a wrong digest: while processes churn, KSM is switched to and fro and
 * pages are migrated, each digest that RANGE gives is compared with what is
 * known to be in the page, and each lease with the content it promises.
 *
 *	churn_test [SECONDS]	none may be wrong
 *	churn_test SECONDS broken	the negative control, with the debug
 *		build of the module and all guards switched off: some must be
 *		wrong, or else the test above proves nothing
 */
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "churn.h"
#include "dev.h"
#include "harness.h"
#include "ksm.h"

#define CHURNERS 3
#define LEASES 40
#define ALL_GUARDS "debug_break=7"

static unsigned int seconds = 30;
static bool broken;

static struct region region;
static digest_t known[CHURN_CONTENTS];
static uint8_t classes[CHURN_PAGES];
static digest_t digests[CHURN_PAGES];

static struct {
	uint64_t rounds;
	uint64_t compared;
	uint64_t wrong;
	uint64_t leased;
	uint64_t wrong_leases;
	uint64_t switched;
} seen;

static uint64_t any_seed(void)
{
	return CHURN_FIRST + rand() % CHURN_CONTENTS;
}

static const uint8_t *digest_of(uint64_t seed)
{
	return known[seed - CHURN_FIRST];
}

/* Own memory: nobody else writes it, so what is in it is known. */
static void compare_range(int fd)
{
	size_t i;

	for (i = 0; i < 60; i++)
		region_write(&region, rand() % CHURN_PAGES, any_seed());
	if (!CHECK(!dev_range(fd, region.base, CHURN_PAGES, classes, digests),
		   "RANGE"))
		return;
	for (i = 0; i < CHURN_PAGES; i++) {
		if (classes[i] != UMIG_PAGE_MERGED)
			continue;
		seen.compared++;
		seen.wrong += !!memcmp(digests[i], digest_of(region.seeds[i]),
				       DIGEST);
	}
}

static void compare_leases(int fd)
{
	char page[PAGE] __attribute__((aligned(PAGE)));
	uint32_t leases[LEASES], held, released;
	uint64_t seeds[LEASES];
	digest_t ask[LEASES];
	char want[PAGE];
	size_t i;

	for (i = 0; i < LEASES; i++) {
		seeds[i] = any_seed();
		memcpy(ask[i], digest_of(seeds[i]), DIGEST);
	}
	if (!CHECK(!dev_confirm(fd, ask, LEASES, leases, &held), "CONFIRM"))
		return;
	/* Give the users of these pages time to drop them. */
	poll(NULL, 0, rand() % 20);
	for (i = 0; i < LEASES; i++) {
		if (!leases[i])
			continue;
		seen.leased++;
		fill_page(want, seeds[i]);
		seen.wrong_leases += dev_fill_page(fd, leases[i], page) ||
				     memcmp(page, want, PAGE);
	}
	dev_release_all(fd, &released);
}

static void disturb(void)
{
	int fd;

	if (seen.rounds % 25 == 24) {
		ksm_write("run", rand() % 2 ? 2 : 0);
		poll(NULL, 0, 20);
		ksm_write("run", 1);
		seen.switched++;
	}
	if (seen.rounds % 40 == 39) {
		fd = open("/proc/sys/vm/compact_memory", O_WRONLY);
		if (fd < 0 || write(fd, "1", 1) != 1)
			diag("can't compact memory");
		close(fd);
	}
}

static void report(int fd)
{
	struct umig_stat s = dev_stat(fd);

	diag("%llu rounds: %llu digests compared, %llu wrong; %llu leases, %llu wrong; KSM switched %llu times",
	     (unsigned long long)seen.rounds,
	     (unsigned long long)seen.compared,
	     (unsigned long long)seen.wrong,
	     (unsigned long long)seen.leased,
	     (unsigned long long)seen.wrong_leases,
	     (unsigned long long)seen.switched);
	diag("%llu inserts, %llu removes, %llu moves, %llu hashed, %llu stale, %llu lost, %llu scans, %llu of %llu leases hashed again wrong",
	     (unsigned long long)s.hook_inserts,
	     (unsigned long long)s.hook_removes,
	     (unsigned long long)s.hook_moves,
	     (unsigned long long)s.hashed,
	     (unsigned long long)s.hash_stale,
	     (unsigned long long)s.queue_lost,
	     (unsigned long long)s.rescans,
	     (unsigned long long)s.lease_mismatch,
	     (unsigned long long)s.lease_rehashed);
}

static void run(int fd)
{
	uint64_t end = now_ms() + seconds * 1000;
	pid_t pids[CHURNERS];
	unsigned int i;

	for (i = 0; i < CHURNERS; i++)
		pids[i] = churn_start(i + 7);
	for (; now_ms() < end; seen.rounds++) {
		compare_range(fd);
		compare_leases(fd);
		disturb();
	}
	for (i = 0; i < CHURNERS; i++)
		churn_stop(pids[i]);
	report(fd);
}

static void check_result(int fd)
{
	struct umig_stat s = dev_stat(fd);

	CHECK(seen.compared > 1000 * (uint64_t)seconds && seen.leased > 100 &&
	      seen.switched > 0, "too little was compared");
	CHECK(s.hook_removes > 100 && s.hook_inserts > 100 && s.hook_moves > 0,
	      "KSM had too much rest");
	if (broken) {
		CHECK(seen.wrong > 0,
		      "no wrong digest without guards: the test can't see them");
		return;
	}
	CHECK(!seen.wrong, "%llu wrong digests",
	      (unsigned long long)seen.wrong);
	CHECK(!seen.wrong_leases, "%llu wrong leases",
	      (unsigned long long)seen.wrong_leases);
	CHECK(!s.lease_mismatch, "%llu leases weren't what was promised",
	      (unsigned long long)s.lease_mismatch);
}

static void test_churn(void)
{
	int fd;

	ksm_reset();
	fd = dev_fresh(broken ? ALL_GUARDS : "");
	ksm_run();
	ksm_write("sleep_millisecs", 0);
	region_map(&region, CHURN_PAGES, 600, CHURN_FIRST);
	run(fd);
	check_result(fd);
	region_unmap(&region);
	close(fd);
	ksm_reset();
}

static const struct test_case normal[] = {
	{ "churn: no wrong digest, no wrong lease", test_churn },
};

static const struct test_case control[] = {
	{ "churn without guards: wrong digests are found", test_churn },
};

int main(int argc, char **argv)
{
	size_t i;

	if (sodium_init() < 0)
		bail("libsodium");
	if (argc > 1)
		seconds = atoi(argv[1]);
	broken = argc > 2 && !strcmp(argv[2], "broken");
	for (i = 0; i < CHURN_CONTENTS; i++)
		digest_of_seed(CHURN_FIRST + i, known[i]);
	return broken ? test_main(control, ARRAY_SIZE(control)) :
			test_main(normal, ARRAY_SIZE(normal));
}
