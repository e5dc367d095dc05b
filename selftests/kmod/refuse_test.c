// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel that isn't what the module knows is refused, at load or as soon as
 * it shows.  With the debug build, which can pretend.
 */
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "dev.h"
#include "harness.h"
#include "ksm.h"

#define PAGES 256
#define SEED 40000
#define BREAK_LAYOUT 8
#define BREAK_SHARER 32

static uint8_t classes[PAGES];
static digest_t digests[PAGES];

static void merge(struct region *r, uint64_t seed)
{
	ksm_run();
	region_map(r, PAGES, PAGES / 2, seed);
	if (!region_wait_merged(r))
		bail("KSM doesn't merge");
	ksm_write("run", 0);
}

static void refused(const char *params, int want)
{
	int err;

	module_unload();
	err = module_load(params);
	CHECK(err == want, "%s: %s, should be %s", params, strerror(-err),
	      strerror(-want));
	CHECK(access("/dev/umig", F_OK), "%s: there is a device", params);
	err = module_load("");
	CHECK(!err, "can't be loaded after a refusal: %s", strerror(-err));
}

/* The mode that the rest of the suite runs in. */
static void test_mode(void)
{
	struct umig_info info;
	struct region r;
	int fd;

	ksm_reset();
	fd = dev_fresh("");
	merge(&r, SEED);
	REQUIRE(dev_settle(fd), "not settled");
	info = dev_info(fd);
	diag("kernel: mode=%s",
	     info.mode == UMIG_MODE_HOOKS ? "hooks" : "scan");
	CHECK(info.mode == UMIG_MODE_HOOKS, "mode %u", info.mode);
	CHECK(info.features & UMIG_FEATURE_GROUPS, "no groups");
	region_unmap(&r);
	close(fd);
}

static void test_layout_at_load(void)
{
	struct region r;

	ksm_reset();
	merge(&r, SEED);
	refused("debug_break=8", -EOPNOTSUPP);
	region_unmap(&r);
}

static void test_version(void)
{
	refused("debug_break=128", -EOPNOTSUPP);
}

static bool scan_mode(void *arg)
{
	return dev_info(*(int *)arg).mode == UMIG_MODE_SCAN;
}

static size_t count(uint8_t class)
{
	size_t i, n = 0;

	for (i = 0; i < PAGES; i++)
		n += classes[i] == class;
	return n;
}

static void test_layout_later(void)
{
	uint32_t lease, held;
	struct region r, more;
	digest_t d[1];
	int fd;

	ksm_reset();
	fd = dev_fresh("");
	merge(&r, SEED);
	REQUIRE(dev_settle(fd), "not settled");
	REQUIRE(!dev_range(fd, r.base, PAGES, classes, digests) &&
		count(UMIG_PAGE_MERGED) == PAGES, "not known");

	module_param("debug_break", BREAK_LAYOUT);
	merge(&more, 2 * SEED);
	CHECK(wait_until(scan_mode, &fd, 10000), "not noticed");
	REQUIRE(!dev_range(fd, r.base, PAGES, classes, digests), "RANGE");
	CHECK(count(UMIG_PAGE_MERGED_UNHASHED) == PAGES,
	      "%zu digests are still given out", count(UMIG_PAGE_MERGED));
	CHECK(dev_stat(fd).canary_fails == 1, "counted %llu times",
	      (unsigned long long)dev_stat(fd).canary_fails);

	/* What is leased has been hashed again, so it is right. */
	digest_of_seed(SEED, d[0]);
	CHECK(!dev_confirm(fd, d, 1, &lease, &held) && held == 1, "not held");
	CHECK(dev_stat(fd).lease_rehashed >= 1, "not hashed again");

	module_param("debug_break", 0);
	CHECK(dev_info(fd).mode == UMIG_MODE_SCAN, "trusted again");
	region_unmap(&more);
	region_unmap(&r);
	close(fd);
}

static int join(int fd, char name)
{
	struct umig_join arg = { .size = sizeof(arg), .group = { name } };

	return dev_ioctl(fd, UMIG_IOC_JOIN, &arg);
}

static bool no_groups(void *arg)
{
	return !(dev_info(*(int *)arg).features & UMIG_FEATURE_GROUPS);
}

/* Only groups depend on it: what has none goes on. */
static void test_sharers(void)
{
	uint32_t lease, held, released;
	struct region r, more;
	int fd, grouped;
	digest_t d[1];

	ksm_reset();
	fd = dev_fresh("");
	merge(&r, SEED);
	REQUIRE(dev_settle(fd), "not settled");
	digest_of_seed(SEED, d[0]);
	module_param("debug_break", BREAK_SHARER);
	CHECK(dev_info(fd).features & UMIG_FEATURE_GROUPS, "no groups");
	merge(&more, 2 * SEED);
	CHECK(wait_until(no_groups, &fd, 10000), "not noticed");
	CHECK(dev_info(fd).mode == UMIG_MODE_HOOKS, "the index suffers");
	CHECK(!dev_confirm(fd, d, 1, &lease, &held) && held == 1, "not held");
	CHECK(!dev_release_all(fd, &released) && released == 1, "RELEASE");

	grouped = dev_open();
	CHECK(join(grouped, 'a') == -EOPNOTSUPP, "a group can be joined");
	CHECK(join(grouped, 0) == 0, "the common group can't be joined");
	module_param("debug_break", 0);
	CHECK(no_groups(&fd), "trusted again");
	close(grouped);
	region_unmap(&more);
	region_unmap(&r);
	close(fd);
}

/* A member there already: it is protected, at the price of all else. */
static void test_sharers_late(void)
{
	uint32_t lease, held;
	struct region r;
	int fd, grouped;
	digest_t d[1];

	ksm_reset();
	fd = dev_fresh("");
	merge(&r, SEED);
	REQUIRE(dev_settle(fd), "not settled");
	digest_of_seed(SEED, d[0]);
	grouped = dev_open();
	REQUIRE(join(grouped, 'a') == 0, "JOIN");
	CHECK(!dev_confirm(grouped, d, 1, &lease, &held) && held == 1,
	      "not held");
	module_param("debug_break", BREAK_SHARER);
	CHECK(!dev_confirm(grouped, d, 1, &lease, &held) && held == 0,
	      "confirmed to a group that can't be told from others");
	CHECK(!dev_confirm(fd, d, 1, &lease, &held) && held == 0,
	      "confirmed to the common group");
	CHECK(no_groups(&fd), "not noticed");
	module_param("debug_break", 0);
	close(grouped);
	region_unmap(&r);
	close(fd);
}

/* KSM's merging function isn't there: all goes on, but copies are made. */
static void test_merge(void)
{
	struct umig_fill_item item = {};
	uint32_t held, filled, shared;
	struct region r, target;
	digest_t d[1];
	int fd;

	ksm_reset();
	fd = dev_fresh("debug_break=64 share=1");
	merge(&r, SEED);
	REQUIRE(dev_settle(fd), "not settled");
	ksm_run();
	CHECK(!(dev_info(fd).features & UMIG_FEATURE_SHARE), "SHARE is there");
	digest_of_seed(SEED, d[0]);
	REQUIRE(!dev_confirm(fd, d, 1, &item.lease, &held) && held == 1,
		"not held");
	region_map(&target, 1, 1, 2 * SEED);
	item.addr = (uintptr_t)target.base;
	CHECK(!dev_share(fd, &item, 1, &filled, &shared) && filled == 1 &&
	      !shared && item.result == UMIG_SHARE_COPIED, "result %d",
	      item.result);
	target.seeds[0] = SEED;
	CHECK(region_intact(&target), "another content");
	region_unmap(&target);
	region_unmap(&r);
	close(fd);
}

static const struct test_case cases[] = {
	{ "this kernel is known, and is hooked", test_mode },
	{ "another layout is refused at load", test_layout_at_load },
	{ "a kernel that isn't known is refused at load", test_version },
	{ "another layout is noticed later", test_layout_later },
	{ "another layout of sharers: no groups", test_sharers },
	{ "another layout of sharers, with a member", test_sharers_late },
	{ "no function to merge with: copies", test_merge },
};

int main(void)
{
	int err;

	if (sodium_init() < 0)
		bail("libsodium");
	err = test_main(cases, ARRAY_SIZE(cases));
	module_unload();
	ksm_reset();
	return err;
}
