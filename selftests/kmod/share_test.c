// SPDX-License-Identifier: GPL-2.0
/*
 * SHARE: leased pages become a new process's own without costing memory, and
 * stay right whatever happens to them afterwards.  What can't be shared is
 * copied.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dev.h"
#include "harness.h"
#include "ksm.h"
#include "swap.h"

#define PAGES 4000
#define SEED 600000
#define BATCH 500

static uint32_t leases[PAGES];
static uint64_t wrong;

/* A process that has every content twice, so that KSM merges it. */
static pid_t holder_start(void)
{
	struct region r;
	pid_t pid = fork();

	if (pid < 0)
		bail("fork failed");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	region_map(&r, 2 * PAGES, PAGES, SEED);
	for (;;)
		pause();
}

static void holder_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static uint32_t lease_all(int fd)
{
	static digest_t ask[PAGES];
	uint32_t n, held = 0;
	size_t i;

	for (i = 0; i < PAGES; i++)
		digest_of_seed(SEED + i, ask[i]);
	for (i = 0; i < PAGES; i += BATCH) {
		if (!CHECK(!dev_confirm(fd, ask + i, BATCH, leases + i, &n),
			   "CONFIRM"))
			return 0;
		held += n;
	}
	return held;
}

static bool all_leased(void *arg)
{
	uint32_t released;
	int fd = *(int *)arg;

	if (lease_all(fd) == PAGES)
		return true;
	dev_release_all(fd, &released);
	return false;
}

/* ksmd is at work, as SHARE wants it, but does next to nothing. */
static void ksm_idle(void)
{
	ksm_write("pages_to_scan", 1);
	ksm_write("sleep_millisecs", 10000);
	ksm_write("run", 1);
}

/* The module with its device, all contents leased, ksmd idle; or -1. */
static int prepare(const char *params, pid_t *holder)
{
	int fd;

	ksm_reset();
	fd = dev_fresh(params);
	ksm_run();
	*holder = holder_start();
	if (CHECK(wait_until(all_leased, &fd, MERGE_TIMEOUT_MS),
		  "not all can be leased")) {
		ksm_idle();
		return fd;
	}
	holder_stop(*holder);
	close(fd);
	return -1;
}

/* Untouched memory that the contents shall come to. */
static void map_target(struct region *r)
{
	size_t i;

	region_map(r, PAGES, 1, SEED);
	if (madvise(r->base, PAGES * PAGE, MADV_DONTNEED))
		bail("MADV_DONTNEED: %s", strerror(errno));
	for (i = 0; i < PAGES; i++)
		r->seeds[i] = SEED + i;
}

/* How many are shared; the rest must have been copied. */
static uint32_t share_into(int fd, const struct region *r)
{
	struct umig_fill_item items[BATCH];
	uint32_t filled, shared, sum = 0;
	size_t at, i;

	for (at = 0; at < PAGES; at += BATCH) {
		for (i = 0; i < BATCH; i++)
			items[i] = (struct umig_fill_item){
				.addr = (uintptr_t)r->base + (at + i) * PAGE,
				.lease = leases[at + i],
				.result = -1,
			};
		if (!CHECK(!dev_share(fd, items, BATCH, &filled, &shared) &&
			   filled == BATCH, "SHARE: %u filled", filled))
			break;
		for (i = 0; i < BATCH; i++)
			CHECK(items[i].result == 0 ||
			      items[i].result == UMIG_SHARE_COPIED,
			      "result %d", items[i].result);
		sum += shared;
	}
	return sum;
}

static void look(const struct region *r, const char *when)
{
	char want[PAGE];
	size_t i, n = 0;

	for (i = 0; i < r->pages; i++) {
		fill_page(want, r->seeds[i]);
		n += !!memcmp(want, r->base + i * PAGE, PAGE);
	}
	CHECK(!n, "%zu wrong contents %s", n, when);
	wrong += n;
}

/* Anonymous memory of the whole machine, in bytes. */
static long anon_bytes(void)
{
	char line[128];
	long kb = 0;
	FILE *f;

	/* The kernel counts by CPU; this has it add up. */
	write_file("/proc/sys/vm/stat_refresh", "1");
	f = fopen("/proc/meminfo", "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "AnonPages: %ld", &kb) == 1)
			break;
	if (!kb)
		bail("no AnonPages in /proc/meminfo");
	fclose(f);
	return kb * 1024;
}

/* What copies cost, measured in the same way. */
static long cost_of_copies(int fd)
{
	struct region r;
	long before;

	module_param("share", 0);
	map_target(&r);
	before = anon_bytes();
	CHECK(share_into(fd, &r) == 0, "shared, though switched off");
	before = anon_bytes() - before;
	look(&r, "after copying");
	region_unmap(&r);
	module_param("share", 1);
	return before;
}

static void write_some(struct region *r)
{
	size_t i;

	for (i = 0; i < PAGES; i += 7)
		region_write(r, i, SEED + PAGES + i);
	look(r, "after writes");
}

static void fork_and_write(struct region *r)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		bail("fork failed");
	if (pid == 0) {
		size_t i;

		if (!region_intact(r))
			_exit(1);
		for (i = 0; i < PAGES; i += 5)
			region_write(r, i, SEED + i / 2);
		_exit(!region_intact(r));
	}
	waitpid(pid, &status, 0);
	if (!CHECK(!status, "wrong contents in a child"))
		wrong++;
	look(r, "after a child has written");
}

/* Pages whose list of sharers is incomplete stay; nothing may be lost. */
static void reclaim(const struct region *r, const char *when)
{
	swap_reclaim("16M");
	diag("%ld KiB are swapped out %s", swap_used_kb(), when);
	look(r, when);
}

static bool half_swapped(void *arg)
{
	(void)arg;
	swap_reclaim("4M");
	return swap_used_kb() > PAGES * (PAGE / 1024) / 2;
}

static bool adopted(void *arg)
{
	struct umig_stat s = dev_stat(*(int *)arg);

	/* Those that were written are not there any more. */
	return s.share_adopted >= s.shared - PAGES / 7 - 1;
}

static void be_adopted(int fd)
{
	struct umig_stat s;

	ksm_run();
	CHECK(wait_until(adopted, &fd, MERGE_TIMEOUT_MS),
	      "not adopted by KSM");
	ksm_write("run", 0);
	s = dev_stat(fd);
	diag("%llu shared, %llu copied, %llu retried, %llu adopted",
	     (unsigned long long)s.shared, (unsigned long long)s.share_copied,
	     (unsigned long long)s.share_retried,
	     (unsigned long long)s.share_adopted);
}

static void unmerge(const struct region *r)
{
	CHECK(!ksm_try_write("run", 2), "can't un-merge");
	look(r, "after run=2");
	CHECK(!walk_count(r->base, r->pages), "%zu pages still merged",
	      walk_count(r->base, r->pages));
}

static void live_with_it(int fd, struct region *r, pid_t holder, bool swap)
{
	uint32_t released;

	look(r, "at once");
	write_some(r);
	fork_and_write(r);
	if (swap)
		reclaim(r, "before KSM knows");
	be_adopted(fd);
	look(r, "when adopted");
	/* A lease would keep its page in memory. */
	dev_release_all(fd, &released);
	if (swap) {
		CHECK(wait_until(half_swapped, NULL, 60000),
		      "only %ld KiB are swapped out", swap_used_kb());
		reclaim(r, "when adopted");
	}
	holder_stop(holder);
	close(fd);
	look(r, "when the holder is gone");
	unmerge(r);
	region_unmap(r);
}

static void test_share(void)
{
	uint64_t copied, shared;
	struct region r;
	long copies, grown;
	pid_t holder;
	const char *why;
	int fd;

	/* The holder, whose memory it is, must be in the group. */
	why = swap_on();
	if (why)
		diag("not tried with reclaim: %s", why);
	fd = prepare("share=1", &holder);
	if (fd < 0)
		return;
	CHECK(dev_info(fd).features & UMIG_FEATURE_SHARE, "no SHARE");
	copies = cost_of_copies(fd);
	copied = dev_stat(fd).share_copied;
	CHECK(copied == PAGES && copies > PAGES * PAGE * 9l / 10,
	      "%llu copies took %ld bytes", (unsigned long long)copied,
	      copies);
	map_target(&r);
	grown = anon_bytes();
	shared = share_into(fd, &r);
	grown = anon_bytes() - grown;
	CHECK(shared > PAGES * 95 / 100, "only %llu pages shared",
	      (unsigned long long)shared);
	CHECK(grown < copies / 20, "anonymous memory has grown by %ld bytes",
	      grown);
	CHECK(walk_count(r.base, PAGES) >= shared, "%zu pages are merged",
	      walk_count(r.base, PAGES));
	live_with_it(fd, &r, holder, !why);
	diag("share: pages=%llu anon_growth_bytes=%ld wrong=%llu",
	     (unsigned long long)shared, grown, (unsigned long long)wrong);
	if (!why)
		swap_off();
	ksm_reset();
}

/* Each of these undoes what SHARE has made, before ksmd has seen it. */
static void test_undone(void)
{
	uint32_t shared;
	struct region r;
	pid_t holder;
	int fd;

	fd = prepare("share=1", &holder);
	if (fd < 0)
		return;
	map_target(&r);
	shared = share_into(fd, &r);
	CHECK(shared > PAGES * 95 / 100, "only %u shared", shared);
	CHECK(!madvise(r.base, PAGES * PAGE, MADV_UNMERGEABLE),
	      "MADV_UNMERGEABLE: %s", strerror(errno));
	CHECK(!walk_count(r.base, PAGES), "still merged");
	look(&r, "after MADV_UNMERGEABLE");
	CHECK(share_into(fd, &r) == 0, "shared where nothing is mergeable");
	look(&r, "after copying over");

	madvise(r.base, PAGES * PAGE, MADV_MERGEABLE);
	shared = share_into(fd, &r);
	CHECK(shared > PAGES * 95 / 100, "only %u shared again", shared);
	look(&r, "after sharing again");
	unmerge(&r);
	look(&r, "after run=2, not adopted");
	CHECK(share_into(fd, &r) == 0, "shared, though KSM has dropped them");
	look(&r, "after KSM has dropped the leased pages");

	region_unmap(&r);
	holder_stop(holder);
	close(fd);
	ksm_reset();
	CHECK(!ksm_try_write("max_page_sharing", 100), "stable nodes left");
	ksm_reset();
}

/* Not on its own account, nor when ksmd would never come by. */
static void test_off(void)
{
	struct region r;
	pid_t holder;
	int fd;

	fd = prepare("", &holder);
	if (fd < 0)
		return;
	map_target(&r);
	CHECK(!(dev_info(fd).features & UMIG_FEATURE_SHARE), "on by default");
	CHECK(share_into(fd, &r) == 0, "shared, though off");
	look(&r, "when off");
	module_param("share", 1);
	ksm_write("run", 0);
	CHECK(!(dev_info(fd).features & UMIG_FEATURE_SHARE), "run=0");
	CHECK(share_into(fd, &r) == 0, "shared, though ksmd doesn't run");
	look(&r, "when ksmd doesn't run");
	ksm_idle();
	CHECK(dev_info(fd).features & UMIG_FEATURE_SHARE, "not switched on");
	CHECK(share_into(fd, &r) > 0, "not shared when on");
	look(&r, "when on");
	region_unmap(&r);
	holder_stop(holder);
	close(fd);
	ksm_reset();
}

#define MANY 300
#define MAX_SHARERS 100

/* KSM bounds how many mappings a page has; so must SHARE. */
static void test_many_sharers(void)
{
	struct umig_fill_item items[MANY];
	uint32_t filled, shared;
	struct region r;
	pid_t holder;
	size_t i;
	int fd;

	ksm_reset();
	ksm_write("max_page_sharing", MAX_SHARERS);
	fd = dev_fresh("share=1");
	ksm_run();
	holder = holder_start();
	REQUIRE(wait_until(all_leased, &fd, MERGE_TIMEOUT_MS), "not leased");
	ksm_idle();
	map_target(&r);
	for (i = 0; i < MANY; i++) {
		items[i].addr = (uintptr_t)r.base + i * PAGE;
		items[i].lease = leases[0];
		r.seeds[i] = SEED;
	}
	CHECK(!dev_share(fd, items, MANY, &filled, &shared) &&
	      filled == MANY, "SHARE");
	CHECK(shared > 0 && shared <= MAX_SHARERS - 2,
	      "%u mappings more than the holder's two", shared);
	for (i = MANY; i < PAGES; i++)
		region_write(&r, i, SEED + i);
	look(&r, "with many sharers");
	region_unmap(&r);
	holder_stop(holder);
	close(fd);
	ksm_reset();
}

static const struct test_case cases[] = {
	{ "4000 pages shared cost no memory and stay right", test_share },
	{ "un-merged before KSM knows of it", test_undone },
	{ "copies when off, and when ksmd doesn't run", test_off },
	{ "no more sharers than max_page_sharing", test_many_sharers },
};

int main(void)
{
	int err;

	if (sodium_init() < 0)
		bail("libsodium");
	err = test_main(cases, ARRAY_SIZE(cases));
	ksm_reset();
	return err;
}
