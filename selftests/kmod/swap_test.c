// SPDX-License-Identifier: GPL-2.0
/*
 * Swap: merged pages go out while some of them are leased, and come back.  No
 * digest is wrong at any time, and leases keep their content.
 */
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "dev.h"
#include "harness.h"
#include "ksm.h"
#include "swap.h"

#define PAGES 4096
#define CONTENTS 1500
#define LEASED 300
#define SEED 900000

static uint8_t classes[PAGES];
static digest_t digests[PAGES];
static uint32_t leases[LEASED];

static bool enough_swapped(void *arg)
{
	(void)arg;
	swap_reclaim("4M");
	return swap_used_kb() > PAGES * 4 / 2;
}

static size_t count_known(int fd, const struct region *r)
{
	size_t i, n = 0, wrong = 0;
	digest_t want;

	if (!CHECK(!dev_range(fd, r->base, PAGES, classes, digests), "RANGE"))
		return 0;
	for (i = 0; i < PAGES; i++) {
		if (classes[i] != UMIG_PAGE_MERGED)
			continue;
		n++;
		digest_of_seed(r->seeds[i], want);
		wrong += !!memcmp(want, digests[i], DIGEST);
	}
	CHECK(!wrong, "%zu wrong digests", wrong);
	return n;
}

/* Leases of @nr contents from @first; those taken must be right. */
static uint32_t lease_some(int fd, uint64_t first, uint32_t nr)
{
	digest_t d[LEASED];
	uint32_t held = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		digest_of_seed(first + i, d[i]);
	CHECK(!dev_confirm(fd, d, nr, leases, &held), "CONFIRM");
	return held;
}

static size_t wrong_leases(int fd, uint64_t first, uint32_t nr)
{
	char page[PAGE] __attribute__((aligned(PAGE)));
	char want[PAGE];
	size_t i, wrong = 0;

	for (i = 0; i < nr; i++) {
		if (!leases[i])
			continue;
		fill_page(want, first + i);
		wrong += dev_fill_page(fd, leases[i], page) ||
			 memcmp(page, want, PAGE);
	}
	return wrong;
}

static void swapped_out(int fd, const struct region *r)
{
	uint32_t held;
	int other = dev_open();

	REQUIRE(wait_until(enough_swapped, NULL, 60000), "%ld KiB swapped",
		swap_used_kb());
	diag("%ld of %d KiB swapped, %zu pages known", swap_used_kb(),
	     PAGES * 4, count_known(fd, r));
	CHECK(!wrong_leases(fd, SEED, LEASED), "%zu leases wrong",
	      wrong_leases(fd, SEED, LEASED));
	/* Of others some are gone: what is held must be right. */
	held = lease_some(other, SEED + LEASED, LEASED);
	CHECK(held < LEASED, "all are held, though swapped");
	CHECK(!wrong_leases(other, SEED + LEASED, LEASED),
	      "%zu leases of swapped contents wrong",
	      wrong_leases(other, SEED + LEASED, LEASED));
	close(other);
}

static void test_swap(void)
{
	struct region r;
	const char *why = swap_on();
	int fd;

	if (why) {
		test_skip("%s", why);
		return;
	}
	ksm_reset();
	fd = dev_fresh("");
	ksm_run();
	region_map(&r, PAGES, CONTENTS, SEED);
	REQUIRE(region_wait_merged(&r), "KSM doesn't merge");
	ksm_write("run", 0);
	REQUIRE(dev_settle(fd), "not settled");
	REQUIRE(lease_some(fd, SEED, LEASED) == LEASED, "not all held");
	swapped_out(fd, &r);

	CHECK(region_intact(&r), "content changed");
	count_known(fd, &r);
	ksm_run();
	REQUIRE(region_wait_merged(&r), "not merged again");
	ksm_write("run", 0);
	REQUIRE(dev_settle(fd), "not settled");
	CHECK(count_known(fd, &r) == PAGES, "%zu of %u known in the end",
	      count_known(fd, &r), PAGES);
	region_unmap(&r);
	close(fd);
	swap_off();
}

static const struct test_case cases[] = {
	{ "merged pages are swapped out and in", test_swap },
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
