// SPDX-License-Identifier: GPL-2.0
/*
 * Never a wrong digest: while processes churn, KSM is switched to and fro, pages
 * are migrated and swapped, and memory goes offline, each digest that RANGE gives
 * is compared with what is known to be in the page, each lease with the content
 * it promises, and what has been shared with what it was shared as.
 *
 *	churn_test [SECONDS]
 *
 * First with the module: none may be wrong.  Then the negative control, with
 * the debug build (/umig-debug.ko) and all guards switched off: some must be
 * wrong, or else the first proves nothing.  Then mode SCAN, of which the debug
 * build makes one from the first moment: no digests, but leases, all right, from
 * an index that is wrong all the time.  Each lasts until so many seconds have
 * passed (the last: a third) and enough has been compared.
 */
#include <errno.h>
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
#include "memblock.h"
#include "swap.h"

#define CHURNERS 3
#define LEASES 40
#define DEBUG_KO "/umig-debug.ko"
#define ALL_GUARDS "debug_break=7"
#define NO_HOOKS "debug_break=16"
#define RESCAN "/sys/class/misc/umig/rescan"
/* From a minute on 100,000 digests have to be compared, if it takes longer. */
#define LONG_SECONDS 60
#define LONG_COMPARED 100000
#define COMPARED_PER_SECOND 300
#define SECONDS_AT_MOST(seconds) (10 * (seconds) + 60)

enum mode { GUARDED, BROKEN, SCANNING };

static unsigned int seconds = 30;
static enum mode mode;
static bool two_nodes, swap;
/* One that can go offline. */
static long block;

static struct region region;
/* Where leases are shared into. */
static struct region shares;
static digest_t known[CHURN_CONTENTS];
static uint8_t classes[CHURN_PAGES];
static digest_t digests[CHURN_PAGES];

static struct tally {
	uint64_t rounds;
	uint64_t compared;
	uint64_t wrong;
	uint64_t leased;
	uint64_t wrong_leases;
	uint64_t shared;
	uint64_t wrong_shares;
	uint64_t switched;
	uint64_t offline;
	long scans_before;	/* of KSM */
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

/* Some are written meanwhile, and stay as they were written. */
static void compare_shares(void)
{
	char want[PAGE];
	size_t i;

	for (i = 0; i < 5; i++)
		region_write(&shares, rand() % LEASES, any_seed());
	for (i = 0; i < LEASES; i++) {
		fill_page(want, shares.seeds[i]);
		seen.wrong_shares += !!memcmp(shares.base + i * PAGE, want,
					      PAGE);
	}
}

static void share_leases(int fd, const uint32_t *leases, const uint64_t *seeds)
{
	struct umig_fill_item items[LEASES];
	uint32_t filled, shared;
	size_t i;

	compare_shares();
	for (i = 0; i < LEASES; i++)
		items[i] = (struct umig_fill_item){
			.addr = (uintptr_t)shares.base + i * PAGE,
			.lease = leases[i],
		};
	if (!CHECK(!dev_share(fd, items, LEASES, &filled, &shared), "SHARE"))
		return;
	for (i = 0; i < LEASES; i++)
		if (items[i].result >= 0)
			shares.seeds[i] = seeds[i];
	seen.shared += shared;
	compare_shares();
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
	share_leases(fd, leases, seeds);
	dev_release_all(fd, &released);
}

/* Now and then it can't: a page of it is in use in some other way just now. */
static void go_offline(void)
{
	uint64_t ms;
	int err = memblock_offline(block, &ms);

	CHECK(err != -ETIMEDOUT, "memory doesn't go offline, nor fails to");
	if (err)
		return;
	seen.offline++;
	err = memblock_state(block, "online_movable");
	CHECK(!err, "memory doesn't come online: %s", strerror(-err));
}

static void disturb(void)
{
	int fd;

	if (swap && seen.rounds % 50 == 20)
		swap_reclaim("2M");
	if (two_nodes && seen.rounds % 30 == 29)
		region_move(&region, rand() % 3 - 1);

	if (block >= 0 && seen.rounds % 60 == 50)
		go_offline();
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

	diag("%ld scans of KSM, %llu rounds: %llu digests compared, %llu wrong; %llu leases, %llu wrong; %llu pages shared, %llu wrong; KSM switched %llu times, memory offline %llu times",
	     ksm_read("full_scans") - seen.scans_before,
	     (unsigned long long)seen.rounds,
	     (unsigned long long)seen.compared,
	     (unsigned long long)seen.wrong,
	     (unsigned long long)seen.leased,
	     (unsigned long long)seen.wrong_leases,
	     (unsigned long long)seen.shared,
	     (unsigned long long)seen.wrong_shares,
	     (unsigned long long)seen.switched,
	     (unsigned long long)seen.offline);
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

static bool compared_enough(void)
{
	if (mode == SCANNING)
		return seen.leased > 100 && seen.switched > 0;
	return seen.leased > 100 && seen.shared > 100 && seen.switched > 0 &&
	       (seen.offline > 0 || block < 0) &&
	       seen.compared >= (seconds < LONG_SECONDS ?
				 seconds * COMPARED_PER_SECOND :
				 LONG_COMPARED);
}

static bool ksm_had_work(int fd)
{
	struct umig_stat s = dev_stat(fd);

	if (mode == SCANNING)
		return s.rescans > 2 && s.hash_stale + s.lease_mismatch > 0;
	return s.hook_removes > 100 && s.hook_inserts > 100 &&
	       s.hook_moves > 0;
}

/* On a busy machine it takes longer until all has been seen that must be. */
static bool enough(int fd, uint64_t ms)
{
	unsigned int least = mode == SCANNING ? seconds / 3 : seconds;

	if (ms >= SECONDS_AT_MOST(seconds) * 1000)
		return true;
	return ms >= least * 1000 && compared_enough() &&
	       ksm_had_work(fd) && (mode != BROKEN || seen.wrong);
}

static void run(int fd)
{
	uint64_t start = now_ms();
	pid_t pids[CHURNERS];
	unsigned int i;

	for (i = 0; i < CHURNERS; i++)
		pids[i] = churn_start(i + 7);
	for (; !enough(fd, now_ms() - start); seen.rounds++) {
		if (mode == SCANNING && seen.rounds % 8 == 0)
			write_file(RESCAN, "1");
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
	bool broken = mode == BROKEN;

	CHECK(compared_enough(), "too little was compared");
	CHECK(ksm_had_work(fd), "KSM had too much rest");
	if (broken) {
		CHECK(seen.wrong > 0,
		      "no wrong digest without guards: the test can't see them");
		return;
	}
	CHECK(!seen.wrong, "%llu wrong digests",
	      (unsigned long long)seen.wrong);
	CHECK(!seen.wrong_leases, "%llu wrong leases",
	      (unsigned long long)seen.wrong_leases);
	CHECK(!seen.wrong_shares, "%llu wrong shared pages",
	      (unsigned long long)seen.wrong_shares);
	CHECK(mode == SCANNING ? !seen.compared : !s.lease_mismatch,
	      "%llu digests given, %llu leases weren't what was promised",
	      (unsigned long long)seen.compared,
	      (unsigned long long)s.lease_mismatch);
}

static struct tally churn(const char *params, enum mode how)
{
	int fd;

	mode = how;
	memset(&seen, 0, sizeof(seen));
	ksm_reset();
	fd = dev_fresh(params);
	ksm_run();
	ksm_write("sleep_millisecs", 0);
	ksm_prefer(true);
	seen.scans_before = ksm_read("full_scans");
	region_map(&region, CHURN_PAGES, 600, CHURN_FIRST);
	region_map(&shares, LEASES, LEASES, CHURN_FIRST);
	run(fd);
	check_result(fd);
	region_unmap(&shares);
	region_unmap(&region);
	close(fd);
	ksm_prefer(false);
	ksm_reset();
	return seen;
}

static struct tally normal;

static void test_churn(void)
{
	normal = churn("share=1", GUARDED);
}

static void test_control(void)
{
	struct tally control;

	if (access(DEBUG_KO, F_OK)) {
		test_skip("no debug build of the module (" DEBUG_KO ")");
		return;
	}
	setenv("UMIG_KO", DEBUG_KO, true);
	control = churn("share=1 " ALL_GUARDS, BROKEN);
	diag("churn: compared=%llu wrong=%llu control_wrong=%llu",
	     (unsigned long long)normal.compared,
	     (unsigned long long)(normal.wrong + normal.wrong_leases +
				  normal.wrong_shares),
	     (unsigned long long)control.wrong);
}

static void test_scanning(void)
{
	if (access(DEBUG_KO, F_OK)) {
		test_skip("no debug build of the module (" DEBUG_KO ")");
		return;
	}
	setenv("UMIG_KO", DEBUG_KO, true);
	churn("share=1 " NO_HOOKS, SCANNING);
}

static const struct test_case cases[] = {
	{ "churn: no wrong digest, lease or shared page", test_churn },
	{ "churn without guards: wrong digests are found", test_control },
	{ "churn without hooks: no wrong lease or shared page", test_scanning },
};

int main(int argc, char **argv)
{
	const char *why;
	size_t i;
	int err;

	if (sodium_init() < 0)
		bail("libsodium");
	if (argc > 1)
		seconds = atoi(argv[1]);
	for (i = 0; i < CHURN_CONTENTS; i++)
		digest_of_seed(CHURN_FIRST + i, known[i]);
	two_nodes = !access("/sys/devices/system/node/node1", F_OK);
	ksm_reset();
	block = memblock_find();
	if (block < 0)
		diag("no memory can go offline: boot with movablecore=");
	why = swap_on();
	swap = !why;
	if (why)
		diag("without swap: %s", why);
	err = test_main(cases, ARRAY_SIZE(cases));
	if (swap)
		swap_off();
	return err;
}
