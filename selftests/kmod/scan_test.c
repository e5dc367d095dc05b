// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel whose KSM can't be hooked: the module works by scans alone, gives out
 * nothing that it hasn't looked at there and then, and says that it is so.  With
 * the debug build, which can pretend.
 */
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dev.h"
#include "harness.h"
#include "ksm.h"

#define PAGES 512
#define CONTENTS 200
#define SEED 70000
#define OTHER_SEED 80000
#define NO_HOOKS "debug_break=16"
#define SYSFS "/sys/class/misc/umig/"

static uint8_t classes[PAGES];
static digest_t digests[PAGES];
static uint32_t leases[CONTENTS];

static void merge(struct region *r, uint64_t seed)
{
	ksm_run();
	region_map(r, PAGES, CONTENTS, seed);
	if (!region_wait_merged(r))
		bail("KSM doesn't merge");
	ksm_write("run", 0);
}

static void unmerge(struct region *r)
{
	ksm_write("run", 2);
	region_unmap(r);
}

static bool scanned(void *arg)
{
	struct umig_stat *before = arg;
	int fd = dev_open();
	struct umig_stat now = dev_stat(fd);

	close(fd);
	return now.rescans > before->rescans && !now.queue_len;
}

static void scan(int fd)
{
	struct umig_stat before = dev_stat(fd);

	/* One that runs already may have passed by. */
	if (!CHECK(dev_settle(fd), "not settled"))
		return;
	before = dev_stat(fd);
	CHECK(!write_file(SYSFS "rescan", "1"), "rescan");
	CHECK(wait_until(scanned, &before, 120000), "no scan");
}

/* How many of the contents from @seed on are held; FILL gives them. */
static uint32_t held(int fd, uint64_t seed)
{
	char page[PAGE] __attribute__((aligned(PAGE))), want[PAGE];
	digest_t d[CONTENTS];
	uint32_t n = 0, released;
	size_t i, wrong = 0;

	for (i = 0; i < CONTENTS; i++)
		digest_of_seed(seed + i, d[i]);
	CHECK(!dev_confirm(fd, d, CONTENTS, leases, &n), "CONFIRM");
	for (i = 0; i < CONTENTS; i++) {
		if (!leases[i])
			continue;
		fill_page(want, seed + i);
		wrong += dev_fill_page(fd, leases[i], page) ||
			 memcmp(page, want, PAGE);
	}
	CHECK(!wrong, "%zu pages of a wrong content", wrong);
	dev_release_all(fd, &released);
	return n;
}

/* Records that read(2) gives; all must be of contents from @seed on. */
static size_t records(int fd, uint64_t seed)
{
	static struct umig_record r[CONTENTS * 8];
	size_t i, k, known = 0;
	digest_t d[CONTENTS];
	ssize_t n;

	for (i = 0; i < CONTENTS; i++)
		digest_of_seed(seed + i, d[i]);
	lseek(fd, 0, SEEK_SET);
	n = read(fd, r, sizeof(r));
	if (!CHECK(n >= 0, "read"))
		return 0;
	n /= sizeof(r[0]);
	for (i = 0; i < (size_t)n; i++)
		for (k = 0; k < CONTENTS; k++)
			known += !memcmp(r[i].digest, d[k], DIGEST);
	CHECK(known == (size_t)n, "%zu of %zd records are true", known, n);
	return n;
}

static void expect_mode(int fd)
{
	char text[16] = "";
	int mode = open(SYSFS "mode", O_RDONLY);

	CHECK(dev_info(fd).mode == UMIG_MODE_SCAN, "mode %u",
	      dev_info(fd).mode);
	CHECK(mode >= 0 && read(mode, text, sizeof(text) - 1) == 5 &&
	      !strcmp(text, "scan\n"), "sysfs says %s", text);
	close(mode);
}

static void test_works(void)
{
	struct umig_stat stat;
	struct region r;
	size_t i, known = 0;
	int fd;

	ksm_reset();
	merge(&r, SEED);
	fd = dev_fresh(NO_HOOKS);
	expect_mode(fd);
	REQUIRE(dev_settle(fd), "not settled");
	CHECK(dev_info(fd).hashed_pages >= CONTENTS, "%llu pages hashed",
	      (unsigned long long)dev_info(fd).hashed_pages);
	REQUIRE(!dev_range(fd, r.base, PAGES, classes, digests), "RANGE");
	for (i = 0; i < PAGES; i++)
		known += classes[i] != UMIG_PAGE_MERGED_UNHASHED;
	CHECK(!known, "%zu pages aren't merged without a digest", known);

	CHECK(held(fd, SEED) == CONTENTS, "%u held", held(fd, SEED));
	CHECK(records(fd, SEED) >= CONTENTS, "too few records");
	stat = dev_stat(fd);
	CHECK(stat.lease_rehashed >= CONTENTS, "%llu leases hashed again",
	      (unsigned long long)stat.lease_rehashed);
	CHECK(!stat.hook_inserts && !stat.hook_removes && !stat.hook_moves &&
	      !stat.canary_fails, "something is hooked");
	unmerge(&r);
	close(fd);
}

/* Nobody tells; what the index says is wrong until the next scan. */
static void test_changes(void)
{
	struct region r;
	uint32_t n;
	int fd;

	ksm_reset();
	fd = dev_fresh(NO_HOOKS);
	merge(&r, SEED);
	scan(fd);
	CHECK(held(fd, SEED) == CONTENTS, "%u held", held(fd, SEED));
	unmerge(&r);
	merge(&r, OTHER_SEED);
	n = held(fd, SEED);
	CHECK(!n, "%u held that are gone", n);
	records(fd, OTHER_SEED);
	scan(fd);
	/* Entries of nodes that were used again are found out and dropped. */
	held(fd, SEED);
	scan(fd);
	diag("%llu mismatches", (unsigned long long)dev_stat(fd).lease_mismatch);
	CHECK(!held(fd, SEED), "%u held that are gone", held(fd, SEED));
	CHECK(held(fd, OTHER_SEED) == CONTENTS, "%u held",
	      held(fd, OTHER_SEED));
	unmerge(&r);
	close(fd);
}

static void test_sweep(void)
{
	struct region r;
	int fd;

	ksm_reset();
	fd = dev_fresh(NO_HOOKS);
	merge(&r, SEED);
	scan(fd);
	CHECK(dev_info(fd).merged_pages >= CONTENTS, "%llu pages found",
	      (unsigned long long)dev_info(fd).merged_pages);
	unmerge(&r);
	scan(fd);
	CHECK(!dev_info(fd).merged_pages, "%llu pages are left",
	      (unsigned long long)dev_info(fd).merged_pages);
	CHECK(!dev_stat(fd).evicted, "evicted");
	close(fd);
}

/* Also without being asked. */
static bool found(void *arg)
{
	return dev_info(*(int *)arg).hashed_pages >= CONTENTS;
}

static void test_clock(void)
{
	struct region r;
	int fd;

	ksm_reset();
	fd = dev_fresh(NO_HOOKS);
	merge(&r, SEED);
	CHECK(wait_until(found, &fd, 400000), "no scan by itself");
	unmerge(&r);
	close(fd);
}

static const struct test_case cases[] = {
	{ "no hooks: leases, each hashed again; no digests", test_works },
	{ "no hooks: nothing is given out that has changed", test_changes },
	{ "no hooks: a scan forgets what has gone", test_sweep },
	{ "no hooks: scans come by themselves", test_clock },
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
