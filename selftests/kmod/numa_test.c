// SPDX-License-Identifier: GPL-2.0
/*
 * Two memory nodes: entries follow pages that are moved, leased pages stay,
 * and nodes of the stable tree that change trees (merge_across_nodes=0) keep
 * their digests.
 */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dev.h"
#include "harness.h"
#include "ksm.h"

#define PAGES 2048
#define CONTENTS 700
#define SEED 700000
#define MPOL_DEFAULT 0
#define MPOL_BIND 2

static uint8_t classes[PAGES];
static digest_t digests[PAGES];
static uint32_t leases[CONTENTS];

static bool two_nodes(void)
{
	if (!access("/sys/devices/system/node/node1", F_OK))
		return true;
	test_skip("one memory node: boot with numa=fake=2");
	return false;
}

static void merge(struct region *r)
{
	ksm_run();
	region_map(r, PAGES, CONTENTS, SEED);
	if (!region_wait_merged(r))
		bail("KSM doesn't merge");
	ksm_write("run", 0);
}

static void check_all_known(int fd, const struct region *r)
{
	size_t i, n = 0, wrong = 0;
	digest_t want;

	REQUIRE(dev_settle(fd), "not settled");
	REQUIRE(!dev_range(fd, r->base, PAGES, classes, digests), "RANGE");
	for (i = 0; i < PAGES; i++) {
		if (classes[i] != UMIG_PAGE_MERGED)
			continue;
		n++;
		digest_of_seed(r->seeds[i], want);
		wrong += !!memcmp(want, digests[i], DIGEST);
	}
	CHECK(n == walk_count(r->base, PAGES), "%zu of %zu known", n,
	      walk_count(r->base, PAGES));
	CHECK(!wrong, "%zu wrong digests", wrong);
}

static uint32_t lease_all(int fd)
{
	digest_t d[CONTENTS];
	uint32_t held = 0;
	size_t i;

	for (i = 0; i < CONTENTS; i++)
		digest_of_seed(SEED + i, d[i]);
	CHECK(!dev_confirm(fd, d, CONTENTS, leases, &held), "CONFIRM");
	return held;
}

static void test_moved(void)
{
	struct region r;
	uint32_t released;
	int fd, round;

	if (!two_nodes())
		return;
	ksm_reset();
	fd = dev_fresh("");
	merge(&r);
	REQUIRE(dev_settle(fd), "not settled");
	for (round = 1; round <= 4; round++) {
		region_move(&r, round % 2);
		check_all_known(fd, &r);
		CHECK(lease_all(fd) == CONTENTS, "not all held after a move");
		dev_release_all(fd, &released);
	}
	CHECK(dev_stat(fd).hook_moves >= CONTENTS, "only %llu moves",
	      (unsigned long long)dev_stat(fd).hook_moves);
	region_unmap(&r);
	close(fd);
}

static size_t wrong_leases(int fd)
{
	char page[PAGE] __attribute__((aligned(PAGE)));
	char want[PAGE];
	size_t i, wrong = 0;

	for (i = 0; i < CONTENTS; i++) {
		fill_page(want, SEED + i);
		wrong += dev_fill_page(fd, leases[i], page) ||
			 memcmp(page, want, PAGE);
	}
	return wrong;
}

static void test_leased_stay(void)
{
	struct region r;
	size_t there;
	int fd;

	if (!two_nodes())
		return;
	ksm_reset();
	fd = dev_fresh("");
	merge(&r);
	REQUIRE(dev_settle(fd), "not settled");
	region_move(&r, 0);
	REQUIRE(lease_all(fd) == CONTENTS, "not all held");
	there = region_move(&r, 1);
	CHECK(there < PAGES / 10, "%zu of %u leased pages were moved", there,
	      PAGES);
	CHECK(!wrong_leases(fd), "%zu leases wrong", wrong_leases(fd));
	CHECK(region_intact(&r), "content changed");
	check_all_known(fd, &r);
	region_unmap(&r);
	close(fd);
}

static void test_trees(void)
{
	struct region r;
	int fd, round;

	if (!two_nodes())
		return;
	ksm_reset();
	ksm_write("merge_across_nodes", 0);
	fd = dev_fresh("");
	ksm_run();
	region_map(&r, PAGES, CONTENTS, SEED);
	region_move(&r, 0);
	REQUIRE(region_wait_merged(&r), "not merged");
	for (round = 0; round < 6; round++) {
		/* ksmd finds the moved nodes while we go on. */
		region_move(&r, round % 3 == 2 ? -1 : round % 2);
		check_all_known(fd, &r);
	}
	ksm_write("run", 0);
	check_all_known(fd, &r);
	CHECK(dev_stat(fd).hook_moves >= CONTENTS, "only %llu moves",
	      (unsigned long long)dev_stat(fd).hook_moves);
	region_unmap(&r);
	close(fd);
	ksm_reset();
	ksm_write("merge_across_nodes", 1);
}

static void bind_to(int node)
{
	unsigned long nodes = node < 0 ? 0 : 1ul << node;

	if (syscall(SYS_set_mempolicy, node < 0 ? MPOL_DEFAULT : MPOL_BIND,
		    node < 0 ? NULL : &nodes, 8 * sizeof(nodes)))
		bail("set_mempolicy: %s", strerror(errno));
}

/* All leases into fresh memory of @node; how many are shared. */
static uint32_t share_on(int fd, int node)
{
	struct umig_fill_item items[CONTENTS];
	uint32_t filled, shared;
	struct region r;
	size_t i;

	bind_to(node);
	region_map(&r, CONTENTS, CONTENTS, 2 * SEED);
	for (i = 0; i < CONTENTS; i++) {
		items[i].addr = (uintptr_t)r.base + i * PAGE;
		items[i].lease = leases[i];
		r.seeds[i] = SEED + i;
	}
	CHECK(!dev_share(fd, items, CONTENTS, &filled, &shared) &&
	      filled == CONTENTS, "SHARE");
	CHECK(region_intact(&r), "another content on node %d", node);
	bind_to(-1);
	region_unmap(&r);
	return shared;
}

/* Leased pages are on node 0. */
static void share_both(int fd, struct region *r, bool across)
{
	uint32_t near, far;

	region_move(r, 0);
	REQUIRE(dev_settle(fd), "not settled");
	REQUIRE(lease_all(fd) == CONTENTS, "not all held");
	/* At work, but not on this. */
	ksm_write("pages_to_scan", 1);
	ksm_write("sleep_millisecs", 10000);
	ksm_write("run", 1);
	near = share_on(fd, 0);
	far = share_on(fd, 1);
	diag("merge_across_nodes=%d: %u pages shared on their node, %u from the other",
	     across, near, far);
	CHECK(near > CONTENTS * 9 / 10, "not shared on one node");
	CHECK(across ? far > CONTENTS * 9 / 10 : !far,
	      "%u shared across nodes", far);
}

static void share_with(int across)
{
	struct region r;
	int fd;

	ksm_reset();
	ksm_write("merge_across_nodes", across);
	fd = dev_fresh("share=1");
	region_map(&r, PAGES, CONTENTS, SEED);
	region_move(&r, 0);
	ksm_run();
	CHECK(region_wait_merged(&r), "not merged");
	ksm_write("run", 0);
	share_both(fd, &r, across);
	region_unmap(&r);
	close(fd);
	ksm_reset();
	ksm_write("merge_across_nodes", 1);
}

static void test_share(void)
{
	if (!two_nodes())
		return;
	share_with(1);
	share_with(0);
}

static const struct test_case cases[] = {
	{ "entries follow moved pages", test_moved },
	{ "leased pages stay where they are", test_leased_stay },
	{ "nodes that change trees keep their digests", test_trees },
	{ "SHARE across nodes only where KSM merges across", test_share },
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
