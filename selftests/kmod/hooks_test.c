// SPDX-License-Identifier: GPL-2.0
/*
 * What can go wrong with the hooks is noticed and mended: kprobes switched off,
 * a queue that overflows, an index that is full, pages that are migrated.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dev.h"
#include "harness.h"
#include "ksm.h"

#define PAGES 2048
#define CONTENTS 900
#define SEED 600000

static uint8_t classes[PAGES];
static digest_t digests[PAGES];
static uint32_t leases[CONTENTS];

static void merge(struct region *r)
{
	ksm_run();
	region_map(r, PAGES, CONTENTS, SEED);
	if (!region_wait_merged(r))
		bail("KSM doesn't merge");
	ksm_write("run", 0);
}

/* Counts pages by class; digests that are given must be right. */
static size_t known(int fd, const struct region *r, size_t *unhashed)
{
	size_t i, n = 0, wrong = 0;
	digest_t want;

	*unhashed = 0;
	if (!CHECK(!dev_range(fd, r->base, r->pages, classes, digests),
		   "RANGE"))
		return 0;
	for (i = 0; i < r->pages; i++) {
		*unhashed += classes[i] == UMIG_PAGE_MERGED_UNHASHED;
		if (classes[i] != UMIG_PAGE_MERGED)
			continue;
		n++;
		digest_of_seed(r->seeds[i], want);
		wrong += !!memcmp(want, digests[i], DIGEST);
	}
	CHECK(!wrong, "%zu wrong digests", wrong);
	return n;
}

static uint32_t held(int fd)
{
	uint32_t n = 0, released;
	digest_t d[CONTENTS];
	size_t i;

	for (i = 0; i < CONTENTS; i++)
		digest_of_seed(SEED + i, d[i]);
	CHECK(!dev_confirm(fd, d, CONTENTS, leases, &n), "CONFIRM");
	dev_release_all(fd, &released);
	return n;
}

/* The hooks are switched off by @file=0 and on again by @file=1. */
static void hooks_off_and_on(const char *file)
{
	struct umig_stat before, after;
	struct region r;
	size_t n, unhashed;
	int fd, err;

	ksm_reset();
	fd = dev_fresh("");
	merge(&r);
	REQUIRE(dev_settle(fd), "not settled");
	REQUIRE(known(fd, &r, &unhashed) == PAGES, "not all known");
	before = dev_stat(fd);

	err = write_file(file, "0");
	if (err == -EOPNOTSUPP) {
		diag("the kernel keeps the hooks from being switched off");
		CHECK(dev_info(fd).mode == UMIG_MODE_HOOKS, "mode %u",
		      dev_info(fd).mode);
		region_unmap(&r);
		close(fd);
		return;
	}
	REQUIRE(!err, "%s can't be written: %s", file, strerror(-err));
	CHECK(dev_info(fd).mode == UMIG_MODE_SCAN, "mode %u",
	      dev_info(fd).mode);
	n = known(fd, &r, &unhashed);
	CHECK(n == 0 && unhashed == PAGES,
	      "dead hooks: %zu pages with a digest, %zu without", n, unhashed);
	CHECK(dev_stat(fd).canary_fails == before.canary_fails + 1,
	      "not counted");
	/* The destination's side hashes everything again, so it may go on. */
	CHECK(held(fd) == CONTENTS, "%u held", held(fd));
	after = dev_stat(fd);
	CHECK(after.lease_rehashed - before.lease_rehashed >= CONTENTS,
	      "%llu leases hashed again",
	      (unsigned long long)(after.lease_rehashed -
				   before.lease_rehashed));

	/* Nobody sees this: other nodes, maybe at the same addresses. */
	ksm_write("run", 2);
	region_unmap(&r);
	merge(&r);
	n = held(fd);
	diag("%zu held after unseen changes, %llu mismatches found", n,
	     (unsigned long long)dev_stat(fd).lease_mismatch);

	REQUIRE(!write_file(file, "1"), "%s can't be written", file);
	CHECK(dev_info(fd).mode == UMIG_MODE_HOOKS, "mode %u",
	      dev_info(fd).mode);
	REQUIRE(dev_settle(fd), "not settled");
	CHECK(dev_stat(fd).rescans > before.rescans, "no scan");
	CHECK(known(fd, &r, &unhashed) == PAGES, "%zu of %u known after",
	      known(fd, &r, &unhashed), PAGES);
	CHECK(held(fd) == CONTENTS, "%u held after", held(fd));
	region_unmap(&r);
	close(fd);
}

static void test_ftrace_off(void)
{
	hooks_off_and_on("/proc/sys/kernel/ftrace_enabled");
}

static void test_kprobes_off(void)
{
	hooks_off_and_on("/sys/kernel/debug/kprobes/enabled");
}

#define TRACED "/sys/kernel/tracing/events/ksm/ksm_remove_ksm_page"

/* Switched off and on again while nobody looks, but for the module's clock. */
static bool missed_unnoticed(int fd, struct region *r)
{
	uint64_t generation = dev_info(fd).generation;
	struct umig_stat before = dev_stat(fd), after;
	size_t unhashed;

	write_file("/sys/kernel/debug/kprobes/enabled", "0");
	ksm_write("run", 2);
	write_file("/sys/kernel/debug/kprobes/enabled", "1");
	after = dev_stat(fd);
	CHECK(after.hook_removes - before.hook_removes < CONTENTS,
	      "the hook has seen it all: the test tests nothing");
	CHECK(dev_info(fd).generation > generation, "nothing was noticed");
	after = dev_stat(fd);
	CHECK(after.crosscheck_fails + after.canary_fails >
	      before.crosscheck_fails + before.canary_fails, "nor counted");
	ksm_run();
	if (!region_wait_merged(r))
		bail("KSM doesn't merge");
	ksm_write("run", 0);
	CHECK(dev_settle(fd), "not settled");
	CHECK(known(fd, r, &unhashed) == PAGES, "%zu without a digest",
	      unhashed);
	return after.crosscheck_fails == before.crosscheck_fails;
}

static void test_crosscheck(void)
{
	struct region r;
	int fd, i;

	if (access(TRACED, F_OK)) {
		test_skip("KSM has no tracepoints (before 6.4)");
		return;
	}
	ksm_reset();
	fd = dev_fresh("");
	merge(&r);
	REQUIRE(dev_settle(fd), "not settled");
	CHECK(!dev_stat(fd).crosscheck_fails, "a false alarm");
	/* The clock's canary may come first. */
	for (i = 0; i < 20 && missed_unnoticed(fd, &r); i++)
		;
	CHECK(i < 20, "the canary always came first");
	region_unmap(&r);
	close(fd);
}

static void test_overflow(void)
{
	struct umig_stat stat;
	struct region r;
	size_t unhashed;
	int fd;

	ksm_reset();
	fd = dev_fresh("queue_len=16");
	merge(&r);
	REQUIRE(dev_settle(fd), "not settled");
	stat = dev_stat(fd);
	CHECK(stat.queue_lost > 0,
	      "the queue didn't overflow: the test tests nothing");
	CHECK(stat.rescans > 1, "%llu scans",
	      (unsigned long long)stat.rescans);
	diag("%llu events lost, %llu scans",
	     (unsigned long long)stat.queue_lost,
	     (unsigned long long)stat.rescans);
	CHECK(known(fd, &r, &unhashed) == PAGES, "%zu of %u known",
	      known(fd, &r, &unhashed), PAGES);
	region_unmap(&r);
	close(fd);
}

#define MANY 12000

static void test_limit(void)
{
	struct umig_info info;
	struct region r;
	uint8_t *class = calloc(2 * MANY, 1);
	digest_t *digest = calloc(2 * MANY, DIGEST), want;
	size_t i, n = 0, wrong = 0;
	int fd;

	REQUIRE(class && digest, "no memory");
	ksm_reset();
	fd = dev_fresh("index_limit_mb=1");
	ksm_run();
	region_map(&r, 2 * MANY, MANY, SEED);
	REQUIRE(region_wait_merged(&r), "KSM doesn't merge");
	ksm_write("run", 0);
	REQUIRE(dev_settle(fd), "not settled");
	info = dev_info(fd);
	CHECK(info.index_limit_bytes == 1 << 20, "limit %llu",
	      (unsigned long long)info.index_limit_bytes);
	CHECK(info.index_bytes <= info.index_limit_bytes, "%llu bytes used",
	      (unsigned long long)info.index_bytes);
	CHECK(info.hashed_pages > 5000 && info.hashed_pages < MANY,
	      "%llu pages hashed", (unsigned long long)info.hashed_pages);
	CHECK(dev_stat(fd).evicted >= MANY - info.hashed_pages,
	      "%llu evicted", (unsigned long long)dev_stat(fd).evicted);

	REQUIRE(!dev_range(fd, r.base, r.pages, class, digest), "RANGE");
	for (i = 0; i < r.pages; i++) {
		if (class[i] != UMIG_PAGE_MERGED)
			continue;
		n++;
		digest_of_seed(r.seeds[i], want);
		wrong += !!memcmp(want, digest[i], DIGEST);
	}
	CHECK(n >= info.hashed_pages, "%zu pages known", n);
	CHECK(!wrong, "%zu wrong digests", wrong);
	region_unmap(&r);
	close(fd);
	free(class);
	free(digest);
}

static bool evicted_some(void *arg)
{
	write_file("/proc/sys/vm/drop_caches", "2");
	return dev_stat(*(int *)arg).evicted > 100;
}

static void test_shrinker(void)
{
	uint64_t before;
	struct region r;
	size_t unhashed, n;
	int fd;

	ksm_reset();
	fd = dev_fresh("");
	merge(&r);
	REQUIRE(dev_settle(fd), "not settled");
	before = dev_info(fd).merged_pages;
	REQUIRE(wait_until(evicted_some, &fd, 20000),
		"nothing is evicted under pressure");
	CHECK(dev_info(fd).merged_pages < before, "%llu of %llu pages left",
	      (unsigned long long)dev_info(fd).merged_pages,
	      (unsigned long long)before);
	n = known(fd, &r, &unhashed);
	CHECK(n + unhashed == PAGES, "%zu known, %zu unhashed", n, unhashed);
	/* RANGE has met the others: they are hashed now. */
	REQUIRE(dev_settle(fd), "not settled");
	CHECK(known(fd, &r, &unhashed) == PAGES, "%zu of %u known after",
	      known(fd, &r, &unhashed), PAGES);
	region_unmap(&r);
	close(fd);
}

static void test_compaction(void)
{
	struct region r;
	size_t unhashed;
	int fd, i;

	ksm_reset();
	fd = dev_fresh("");
	merge(&r);
	REQUIRE(dev_settle(fd), "not settled");
	for (i = 0; i < 3; i++)
		REQUIRE(!write_file("/proc/sys/vm/compact_memory", "1"),
			"can't compact");
	diag("%llu pages moved",
	     (unsigned long long)dev_stat(fd).hook_moves);
	REQUIRE(dev_settle(fd), "not settled");
	CHECK(known(fd, &r, &unhashed) == PAGES, "%zu of %u known",
	      known(fd, &r, &unhashed), PAGES);
	CHECK(held(fd) == CONTENTS, "%u of %u held", held(fd), CONTENTS);
	region_unmap(&r);
	close(fd);
}

static const struct test_case cases[] = {
	{ "ftrace_enabled=0 is noticed", test_ftrace_off },
	{ "kprobes switched off is noticed", test_kprobes_off },
	{ "removals that the hook misses are noticed", test_crosscheck },
	{ "a queue that overflows leads to a scan", test_overflow },
	{ "the index keeps its limit", test_limit },
	{ "memory pressure evicts, RANGE brings back", test_shrinker },
	{ "page migration keeps entries", test_compaction },
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
