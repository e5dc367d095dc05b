// SPDX-License-Identifier: GPL-2.0
/*
 * The index is complete and right: each page that the reference walk finds
 * merged is reported with the digest of its content, each that isn't is not,
 * whatever KSM does and whenever the module was loaded.
 */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dev.h"
#include "harness.h"
#include "ksm.h"

#define PAGES 2048
#define CONTENTS 700
#define SEED 100000

static uint8_t classes[PAGES];
static digest_t digests[PAGES];
static bool merged[PAGES];

/* What RANGE says of each page against the walk, with ksmd stopped. */
static void check_region(int fd, const struct region *r)
{
	size_t i, missing = 0, invented = 0, wrong = 0;
	digest_t want;
	int err;

	walk(r->base, r->pages, merged);
	err = dev_range(fd, r->base, r->pages, classes, digests);
	REQUIRE(!err, "RANGE: %s", strerror(-err));
	for (i = 0; i < r->pages; i++) {
		if (classes[i] != UMIG_PAGE_MERGED) {
			missing += merged[i];
			continue;
		}
		invented += !merged[i];
		digest_of_seed(r->seeds[i], want);
		wrong += !!memcmp(want, digests[i], DIGEST);
	}
	CHECK(!missing, "%zu merged pages without a digest", missing);
	CHECK(!invented, "%zu pages reported merged that aren't", invented);
	CHECK(!wrong, "%zu wrong digests", wrong);
}

static void check_count(int fd)
{
	struct umig_info info = dev_info(fd);
	long shared = ksm_read("pages_shared");

	CHECK((long)info.hashed_pages >= shared,
	      "%llu pages hashed, KSM has %ld",
	      (unsigned long long)info.hashed_pages, shared);
}

static void merge(struct region *r)
{
	ksm_run();
	region_map(r, PAGES, CONTENTS, SEED);
	if (!region_wait_merged(r))
		bail("KSM doesn't merge: %ld pages sharing",
		     ksm_read("pages_sharing"));
	ksm_write("run", 0);
}

static void test_loaded_before(void)
{
	struct region r;
	int fd;

	ksm_reset();
	fd = dev_fresh("");
	merge(&r);
	REQUIRE(dev_settle(fd), "not settled");
	check_count(fd);
	check_region(fd, &r);
	CHECK(dev_stat(fd).hook_inserts >= CONTENTS, "%llu inserts hooked",
	      (unsigned long long)dev_stat(fd).hook_inserts);
	CHECK(dev_stat(fd).rescans == 1, "%llu scans",
	      (unsigned long long)dev_stat(fd).rescans);
	region_unmap(&r);
	close(fd);
}

static void test_loaded_after(void)
{
	struct region r;
	int fd;

	ksm_reset();
	merge(&r);
	fd = dev_fresh("");
	REQUIRE(dev_settle(fd), "not settled");
	check_count(fd);
	check_region(fd, &r);
	CHECK(dev_stat(fd).hook_inserts == 0, "inserts without ksmd");
	region_unmap(&r);
	close(fd);
}

/* Records of the export whose digest is that of @seed. */
static size_t exported(int fd, uint64_t seed)
{
	struct umig_record records[100];
	size_t nr = 0, i;
	digest_t want;
	ssize_t n;

	digest_of_seed(seed, want);
	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, records, sizeof(records))) > 0)
		for (i = 0; i < n / sizeof(*records); i++)
			nr += !memcmp(records[i].digest, want, DIGEST);
	return nr;
}

static void check_dups(int fd)
{
	uint32_t lease, held, i;
	char page[PAGE] __attribute__((aligned(PAGE)));
	char want[PAGE];
	digest_t digest[1];

	CHECK(exported(fd, SEED) > 1, "%zu pages of one content exported",
	      exported(fd, SEED));
	fill_page(want, SEED);
	digest_of_page(want, digest[0]);
	for (i = 0; i < 16; i++) {
		REQUIRE(!dev_confirm(fd, digest, 1, &lease, &held) && held,
			"one content in several pages isn't held");
		CHECK(!dev_fill_page(fd, lease, page) &&
		      !memcmp(page, want, PAGE), "wrong content");
	}
}

static bool some_dups(void *arg)
{
	(void)arg;
	return ksm_read("stable_node_dups") > 50;
}

static void test_chains(void)
{
	struct region r;
	int fd;

	ksm_reset();
	ksm_write("max_page_sharing", 4);
	ksm_write("stable_node_chains_prune_millisecs", 200);
	fd = dev_fresh("");
	ksm_run();
	region_map(&r, PAGES, 20, SEED);
	REQUIRE(wait_until(some_dups, NULL, MERGE_TIMEOUT_MS),
		"no chains: %ld dups", ksm_read("stable_node_dups"));
	/* A page more than max_page_sharing may wait for its like. */
	ksm_write("run", 0);
	REQUIRE(dev_settle(fd), "not settled");
	diag("%ld chains, %ld dups", ksm_read("stable_node_chains"),
	     ksm_read("stable_node_dups"));
	check_count(fd);
	check_region(fd, &r);
	check_dups(fd);
	region_unmap(&r);
	close(fd);
	ksm_reset();
}

static bool all_zero_pages(void *arg)
{
	return !walk_count(arg, 256) &&
	       walk_pfn(arg) == walk_pfn((char *)arg + PAGE) &&
	       walk_pfn(arg) == walk_pfn((char *)arg + 255 * PAGE);
}

static void test_zero_pages(void)
{
	struct region r;
	char *zero;
	size_t i, zeroes = 0;
	int fd;

	ksm_reset();
	ksm_write("use_zero_pages", 1);
	fd = dev_fresh("");
	zero = mmap(NULL, 256 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(zero != MAP_FAILED, "mmap");
	madvise(zero, 256 * PAGE, MADV_NOHUGEPAGE);
	memset(zero, 1, 256 * PAGE);
	memset(zero, 0, 256 * PAGE);
	madvise(zero, 256 * PAGE, MADV_MERGEABLE);
	merge(&r);
	ksm_run();
	REQUIRE(wait_until(all_zero_pages, zero, MERGE_TIMEOUT_MS),
		"KSM doesn't use the zero page");
	ksm_write("run", 0);
	REQUIRE(dev_settle(fd), "not settled");
	REQUIRE(!dev_range(fd, zero, 256, classes, digests), "RANGE");
	for (i = 0; i < 256; i++)
		zeroes += classes[i] == UMIG_PAGE_ZERO;
	CHECK(zeroes == 256, "%zu of 256 zero pages", zeroes);
	check_region(fd, &r);
	munmap(zero, 256 * PAGE);
	region_unmap(&r);
	close(fd);
	ksm_reset();
}

static size_t confirmed(int fd, uint64_t first, size_t nr)
{
	uint32_t leases[CONTENTS], held = 0, released;
	digest_t d[CONTENTS];
	size_t i;

	for (i = 0; i < nr; i++)
		digest_of_seed(first + i, d[i]);
	if (dev_confirm(fd, d, nr, leases, &held))
		return SIZE_MAX;
	dev_release_all(fd, &released);
	return held;
}

static void test_unmapped(void)
{
	struct region r;
	int fd;

	ksm_reset();
	fd = dev_fresh("");
	merge(&r);
	REQUIRE(dev_settle(fd), "not settled");
	CHECK(confirmed(fd, SEED, CONTENTS) == CONTENTS, "%zu of %u held",
	      confirmed(fd, SEED, CONTENTS), CONTENTS);
	region_unmap(&r);
	/* KSM keeps the nodes until it meets them, but the pages are gone. */
	CHECK(confirmed(fd, SEED, CONTENTS) == 0, "%zu held of nothing",
	      confirmed(fd, SEED, CONTENTS));
	CHECK(exported(fd, SEED) == 0, "a page that is gone is exported");
	close(fd);
}

static void test_unmerged(void)
{
	struct umig_stat before, after;
	struct region r;
	int fd;

	ksm_reset();
	fd = dev_fresh("");
	merge(&r);
	REQUIRE(dev_settle(fd), "not settled");
	before = dev_stat(fd);
	ksm_write("run", 2);
	after = dev_stat(fd);
	CHECK(region_intact(&r), "content changed");
	CHECK(confirmed(fd, SEED, CONTENTS) == 0, "%zu held after run=2",
	      confirmed(fd, SEED, CONTENTS));
	check_region(fd, &r);
	diag("removals hooked: %llu", (unsigned long long)
	     (after.hook_removes - before.hook_removes));

	/* Merge again: new nodes, some at addresses of old ones. */
	ksm_run();
	REQUIRE(region_wait_merged(&r), "not merged again");
	ksm_write("run", 0);
	REQUIRE(dev_settle(fd), "not settled");
	check_region(fd, &r);
	after = dev_stat(fd);
	CHECK(after.hook_removes - before.hook_removes >= CONTENTS,
	      "%llu removals hooked",
	      (unsigned long long)(after.hook_removes - before.hook_removes));
	region_unmap(&r);
	close(fd);
}

static void test_written(void)
{
	struct region r;
	size_t i;
	int fd;

	ksm_reset();
	fd = dev_fresh("");
	merge(&r);
	REQUIRE(dev_settle(fd), "not settled");
	for (i = 0; i < PAGES; i += 3)
		region_write(&r, i, 7777777 + i);
	check_region(fd, &r);
	REQUIRE(!dev_range(fd, r.base, PAGES, classes, digests), "RANGE");
	CHECK(classes[0] == UMIG_PAGE_PRIVATE, "a written page has class %u",
	      classes[0]);
	region_unmap(&r);
	close(fd);
}

static void test_absent(void)
{
	int fd = dev_fresh("");
	size_t i, absent = 0, present = 0;
	char *m;

	m = mmap(NULL, 512 * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(m != MAP_FAILED, "mmap");
	madvise(m, 512 * PAGE, MADV_NOHUGEPAGE);
	m[100 * PAGE] = 1;
	/* A read maps the zero page. */
	REQUIRE(*(volatile char *)(m + 200 * PAGE) == 0, "not zero");
	munmap(m + 300 * PAGE, PAGE);

	REQUIRE(!dev_range(fd, m, 512, classes, digests), "RANGE");
	for (i = 0; i < 512; i++) {
		absent += classes[i] == UMIG_PAGE_ABSENT;
		present += walk_present(m + i * PAGE);
	}
	CHECK(absent == 510, "%zu pages absent", absent);
	CHECK(present == 2, "%zu pages present: RANGE faulted some in",
	      present);
	CHECK(classes[100] == UMIG_PAGE_PRIVATE, "written page: class %u",
	      classes[100]);
	CHECK(classes[200] == UMIG_PAGE_ZERO, "read page: class %u",
	      classes[200]);
	munmap(m, 512 * PAGE);
	close(fd);
}

/* One call with little room; must answer a prefix, in whole. */
static void check_prefix(int fd, const struct region *r, uint32_t nr_runs,
			 uint32_t nr_digests, uint32_t want)
{
	struct umig_run runs[4];
	struct umig_range a = {
		.size = sizeof(a),
		.mem_fd = -1,
		.nr_pages = 64,
		.addr = (uintptr_t)r->base,
		.runs = (uintptr_t)runs,
		.digests = (uintptr_t)digests,
		.nr_runs = nr_runs,
		.nr_digests = nr_digests,
	};

	memset(digests, 0, sizeof(digests));
	REQUIRE(!dev_ioctl(fd, UMIG_IOC_RANGE, &a), "RANGE");
	CHECK(a.nr_pages == want && a.nr_digests <= nr_digests &&
	      a.nr_runs <= nr_runs,
	      "room for %u runs, %u digests: %u pages in %u runs, %u digests",
	      nr_runs, nr_digests, a.nr_pages, a.nr_runs, a.nr_digests);
	CHECK(sodium_is_zero(digests[nr_digests], DIGEST),
	      "written behind the digests' end");
}

static void test_little_room(void)
{
	struct region r;
	int fd;

	ksm_reset();
	fd = dev_fresh("");
	merge(&r);
	REQUIRE(dev_settle(fd), "not settled");
	/* Merged 0-9, private 10, merged 11-... */
	region_write(&r, 10, 424242);
	check_prefix(fd, &r, 1, 64, 10);
	check_prefix(fd, &r, 2, 64, 11);
	check_prefix(fd, &r, 3, 64, 64);
	check_prefix(fd, &r, 3, 5, 5);
	check_prefix(fd, &r, 3, 10, 11);
	check_prefix(fd, &r, 3, 0, 0);
	region_unmap(&r);
	close(fd);
}

static void test_stays_merged(void)
{
	struct region r;
	long before;
	int fd, i;

	ksm_reset();
	fd = dev_fresh("");
	merge(&r);
	REQUIRE(dev_settle(fd), "not settled");
	before = ksm_read("pages_sharing");
	for (i = 0; i < 20; i++)
		REQUIRE(!dev_range(fd, r.base, PAGES, classes, digests),
			"RANGE");
	CHECK(walk_count(r.base, PAGES) == PAGES, "%zu of %u still merged",
	      walk_count(r.base, PAGES), PAGES);
	CHECK(ksm_read("pages_sharing") == before, "%ld sharing, before %ld",
	      ksm_read("pages_sharing"), before);
	region_unmap(&r);
	close(fd);
}

static const struct test_case cases[] = {
	{ "loaded before KSM merges", test_loaded_before },
	{ "loaded after KSM has merged", test_loaded_after },
	{ "one content in several pages", test_chains },
	{ "zero pages", test_zero_pages },
	{ "unmapped pages are not held", test_unmapped },
	{ "un-merged and merged again", test_unmerged },
	{ "written pages are private", test_written },
	{ "nothing is faulted in", test_absent },
	{ "RANGE with little room", test_little_room },
	{ "RANGE leaves pages merged", test_stays_merged },
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
