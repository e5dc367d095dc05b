// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages: the code of khugepaged (by MADV_COLLAPSE) leaves leased pages
 * alone, takes merged ones out of KSM without a digest or a content becoming
 * wrong, and ksmd splits huge pages to merge them again.  SHARE into a huge page
 * splits it, too.
 */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dev.h"
#include "harness.h"
#include "ksm.h"

#define HUGE (2ul << 20)
#define HUGE_PAGES (HUGE / PAGE)
#define PAGES (2 * HUGE_PAGES)
#define CONTENTS (PAGES / 2)
#define SEED 500000
#define THP_ENABLED "/sys/kernel/mm/transparent_hugepage/enabled"
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define TIMEOUT_MS 30000

static uint8_t classes[PAGES];
static digest_t digests[PAGES];
static uint32_t leases[CONTENTS];

/* Aligned as huge pages want it. */
static void map_aligned(struct region *r, size_t distinct, uint64_t seed)
{
	size_t bytes = PAGES * PAGE, i;
	char *at = mmap(NULL, bytes + HUGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	r->pages = PAGES;
	r->seeds = calloc(PAGES, sizeof(*r->seeds));
	if (at == MAP_FAILED || !r->seeds)
		bail("no memory");
	r->base = at + -(uintptr_t)at % HUGE;
	/* What is beside it would be one more mapping to look at. */
	if (r->base != at)
		munmap(at, r->base - at);
	munmap(r->base + bytes, HUGE - (r->base - at));
	madvise(r->base, bytes, MADV_NOHUGEPAGE);
	for (i = 0; i < PAGES; i++)
		region_write(r, i, seed + i % distinct);
}

/* How much of it is in huge pages, in KiB. */
static long huge_kb(const struct region *r)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long from, to;
	bool inside = false;
	long kb, sum = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = from >= (unsigned long)r->base &&
				 to <= (unsigned long)r->base +
					       r->pages * PAGE;
		else if (inside &&
			 sscanf(line, "AnonHugePages: %ld", &kb) == 1)
			sum += kb;
	}
	if (f)
		fclose(f);
	return sum;
}

/* What khugepaged does, by the same code, now and not in its time. */
static bool collapse(const struct region *r)
{
	madvise(r->base, PAGES * PAGE, MADV_COLLAPSE);
	return huge_kb(r) * 1024 == (long)(PAGES * PAGE);
}

static bool collapses(void *arg)
{
	return collapse(arg);
}

/* Of memory of which nothing is special; else the case is skipped. */
static bool huge_pages(void)
{
	struct region r;
	bool works;

	if (write_file(THP_ENABLED, "madvise")) {
		test_skip("this kernel has no huge pages");
		return false;
	}
	map_aligned(&r, PAGES, 2 * SEED);
	madvise(r.base, PAGES * PAGE, MADV_HUGEPAGE);
	works = wait_until(collapses, &r, TIMEOUT_MS);
	CHECK(region_intact(&r), "content changed");
	region_unmap(&r);
	if (!works)
		test_skip("MADV_COLLAPSE does nothing here");
	return works;
}

static size_t count(uint8_t class)
{
	size_t i, n = 0;

	for (i = 0; i < PAGES; i++)
		n += classes[i] == class;
	return n;
}

/* Every digest that is given is right. */
static void check_range(int fd, const struct region *r)
{
	size_t i, wrong = 0;
	digest_t want;

	REQUIRE(!dev_range(fd, r->base, PAGES, classes, digests), "RANGE");
	for (i = 0; i < PAGES; i++) {
		if (classes[i] != UMIG_PAGE_MERGED)
			continue;
		digest_of_seed(r->seeds[i], want);
		wrong += !!memcmp(digests[i], want, DIGEST);
	}
	CHECK(!wrong, "%zu wrong digests", wrong);
	CHECK(region_intact(r), "content changed");
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

static void merge(int fd, struct region *r)
{
	ksm_run();
	madvise(r->base, PAGES * PAGE, MADV_MERGEABLE);
	CHECK(region_wait_merged(r),
	      "%zu pages merged, %ld KiB huge; KSM: %ld shared, %ld unshared, %ld volatile, %ld scans",
	      walk_count(r->base, PAGES), huge_kb(r),
	      ksm_read("pages_shared"), ksm_read("pages_unshared"),
	      ksm_read("pages_volatile"), ksm_read("full_scans"));
	ksm_write("run", 0);
	CHECK(dev_settle(fd), "not settled");
}

/* A huge page is made only where one small page at least can be written. */
static void write_firsts(struct region *r, uint64_t seed)
{
	size_t i;

	for (i = 0; i < PAGES; i += HUGE_PAGES)
		region_write(r, i, seed + i % CONTENTS);
}

static void leased_stay(int fd, struct region *r)
{
	REQUIRE(lease_all(fd) == CONTENTS, "not all held");
	write_firsts(r, 4 * SEED);
	CHECK(!collapse(r) && !huge_kb(r),
	      "%ld KiB of leased memory became huge", huge_kb(r));
	CHECK(!wrong_leases(fd), "%zu leases wrong", wrong_leases(fd));
	check_range(fd, r);
	CHECK(count(UMIG_PAGE_MERGED) == PAGES - PAGES / HUGE_PAGES,
	      "%zu of %lu known", count(UMIG_PAGE_MERGED), PAGES);
}

/* Newer kernels may leave merged pages alone. */
static void others_go(int fd, struct region *r)
{
	uint32_t released;
	bool gone;

	dev_release_all(fd, &released);
	gone = wait_until(collapses, r, TIMEOUT_MS);
	diag("merged pages are %s huge ones", gone ? "made" : "not made");
	check_range(fd, r);
	if (gone)
		CHECK(count(UMIG_PAGE_PRIVATE) == PAGES, "%zu of %lu private",
		      count(UMIG_PAGE_PRIVATE), PAGES);
}

static void test_collapse(void)
{
	struct region r;
	int fd;

	if (!huge_pages())
		return;
	ksm_reset();
	fd = dev_fresh("");
	map_aligned(&r, CONTENTS, SEED);
	merge(fd, &r);
	madvise(r.base, PAGES * PAGE, MADV_HUGEPAGE);
	leased_stay(fd, &r);
	others_go(fd, &r);

	/* And back: ksmd splits what it merges. */
	madvise(r.base, PAGES * PAGE, MADV_NOHUGEPAGE);
	write_firsts(&r, SEED);
	merge(fd, &r);
	check_range(fd, &r);
	CHECK(count(UMIG_PAGE_MERGED) == PAGES, "%zu of %lu known again",
	      count(UMIG_PAGE_MERGED), PAGES);
	CHECK(lease_all(fd) == CONTENTS, "not all held again");
	CHECK(!wrong_leases(fd), "%zu leases wrong", wrong_leases(fd));
	region_unmap(&r);
	close(fd);
}

/* Every other page of huge ones: the rest must stay as it is. */
static uint32_t share_every_other(int fd, struct region *r)
{
	struct umig_fill_item items[CONTENTS];
	uint32_t filled, shared;
	size_t i;

	for (i = 0; i < CONTENTS; i++) {
		items[i].addr = (uintptr_t)r->base + 2 * i * PAGE;
		items[i].lease = leases[i];
		r->seeds[2 * i] = SEED + i;
	}
	CHECK(!dev_share(fd, items, CONTENTS, &filled, &shared) &&
	      filled == CONTENTS, "SHARE");
	return shared;
}

static void test_share(void)
{
	struct region r, target;
	uint32_t shared;
	int fd;

	if (!huge_pages())
		return;
	ksm_reset();
	fd = dev_fresh("share=1");
	map_aligned(&r, CONTENTS, SEED);
	merge(fd, &r);
	REQUIRE(lease_all(fd) == CONTENTS, "not all held");
	map_aligned(&target, PAGES, 3 * SEED);
	madvise(target.base, PAGES * PAGE, MADV_HUGEPAGE);
	REQUIRE(wait_until(collapses, &target, TIMEOUT_MS), "not huge");
	madvise(target.base, PAGES * PAGE, MADV_MERGEABLE);

	/* At work, but not on this. */
	ksm_write("pages_to_scan", 1);
	ksm_write("sleep_millisecs", 10000);
	ksm_write("run", 1);
	shared = share_every_other(fd, &target);
	diag("%u of %lu pages shared, %ld KiB huge", shared, CONTENTS,
	     huge_kb(&target));
	CHECK(shared > 0, "nothing was shared");
	check_range(fd, &target);
	CHECK(!wrong_leases(fd), "%zu leases wrong", wrong_leases(fd));
	region_unmap(&target);
	region_unmap(&r);
	close(fd);
}

static const struct test_case cases[] = {
	{ "huge pages made of merged memory", test_collapse },
	{ "SHARE into huge pages", test_share },
};

int main(void)
{
	int err;

	if (sodium_init() < 0)
		bail("libsodium");
	err = test_main(cases, ARRAY_SIZE(cases));
	ksm_reset();
	write_file(THP_ENABLED, "always");
	return err;
}
