// SPDX-License-Identifier: GPL-2.0
/*
 * Digests are what libsodium computes, under whatever key is loaded; a new key
 * makes new ones, and read(2) gives them all.
 */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dev.h"
#include "harness.h"
#include "ksm.h"

#define PAGES 512
#define CONTENTS 128
#define SEED 5000

static struct region region;
static uint8_t classes[PAGES];
static digest_t digests[PAGES];

static const uint8_t other_key[32] = { 1, 2, 3 };

static void digest_under(const uint8_t *key, const void *page, digest_t out)
{
	crypto_generichash(out, DIGEST, page, PAGE, key, 32);
}

/* RANGE must know all pages, with the digests of @key. */
static void check_digests(int fd, const uint8_t *key)
{
	size_t i, wrong = 0, unknown = 0;
	digest_t want;
	int err;

	err = dev_range(fd, region.base, PAGES, classes, digests);
	REQUIRE(!err, "RANGE: %s", strerror(-err));
	for (i = 0; i < PAGES; i++) {
		digest_under(key, region.base + i * PAGE, want);
		if (classes[i] != UMIG_PAGE_MERGED)
			unknown++;
		else if (memcmp(want, digests[i], DIGEST))
			wrong++;
	}
	CHECK(!wrong, "%zu digests differ from libsodium's", wrong);
	CHECK(!unknown, "%zu merged pages have no digest", unknown);
}

static void set_up(void)
{
	ksm_reset();
	ksm_run();
	region_map(&region, PAGES, CONTENTS, SEED);
	if (!region_wait_merged(&region))
		bail("KSM doesn't merge: %ld pages sharing",
		     ksm_read("pages_sharing"));
	ksm_write("run", 0);
}

static void test_equal(void)
{
	int fd = dev_fresh("");

	REQUIRE(dev_settle(fd), "not settled");
	check_digests(fd, test_key);
	close(fd);
}

static void test_key_id(void)
{
	static const char label[] = "umig key id";
	struct umig_info info;
	uint8_t want[32];
	int fd;

	module_reload("");
	fd = dev_open();
	info = dev_info(fd);
	CHECK(sodium_is_zero(info.key_id, sizeof(info.key_id)),
	      "a key id without a key");
	CHECK(info.merged_pages >= CONTENTS,
	      "without a key the index has %llu pages",
	      (unsigned long long)info.merged_pages);
	CHECK(!info.hashed_pages, "hashed without a key");

	REQUIRE(!dev_set_key(fd, test_key), "SET_KEY");
	crypto_generichash(want, sizeof(want), (const uint8_t *)label,
			   sizeof(label) - 1, test_key, sizeof(test_key));
	info = dev_info(fd);
	CHECK(!memcmp(want, info.key_id, sizeof(info.key_id)),
	      "the key id isn't the label's digest");
	close(fd);
}

static void test_same_key(void)
{
	struct umig_info before, after;
	int fd = dev_fresh("");

	REQUIRE(dev_settle(fd), "not settled");
	before = dev_info(fd);
	REQUIRE(!dev_set_key(fd, test_key), "SET_KEY");
	after = dev_info(fd);
	CHECK(before.generation == after.generation, "generation changed");
	CHECK(before.hashed_pages == after.hashed_pages, "hashes lost");
	close(fd);
}

static void test_new_key(void)
{
	struct umig_info before, after;
	digest_t old[1];
	uint32_t lease, kept, held;
	char page[PAGE] __attribute__((aligned(PAGE)));
	int fd = dev_fresh("");

	REQUIRE(dev_settle(fd), "not settled");
	digest_under(test_key, region.base, old[0]);
	REQUIRE(!dev_confirm(fd, old, 1, &kept, &held) && held == 1,
		"a page isn't held");

	before = dev_info(fd);
	REQUIRE(!dev_set_key(fd, other_key), "SET_KEY");
	after = dev_info(fd);
	CHECK(before.generation != after.generation, "same generation");
	CHECK(memcmp(before.key_id, after.key_id, sizeof(after.key_id)),
	      "same key id");
	REQUIRE(dev_settle(fd), "not settled after the new key");
	CHECK(dev_info(fd).hashed_pages == before.hashed_pages,
	      "%llu pages hashed, before %llu",
	      (unsigned long long)dev_info(fd).hashed_pages,
	      (unsigned long long)before.hashed_pages);
	check_digests(fd, other_key);

	CHECK(!dev_confirm(fd, old, 1, &lease, &held) && !held && !lease,
	      "a digest under the old key is confirmed");
	CHECK(!dev_fill_page(fd, kept, page) &&
	      !memcmp(page, region.base, PAGE),
	      "a lease taken under the old key is gone");
	close(fd);
}

/* Returns how many records have one of the region's digests, each once. */
static size_t region_records(const struct umig_record *records, size_t nr)
{
	bool seen[CONTENTS] = {};
	size_t i, j, found = 0;
	digest_t want;

	for (i = 0; i < CONTENTS; i++) {
		digest_under(test_key, region.base + i * PAGE, want);
		for (j = 0; j < nr; j++)
			if (!memcmp(records[j].digest, want, DIGEST) &&
			    records[j].sharers >= PAGES / CONTENTS &&
			    !records[j].reserved)
				seen[i] = true;
		found += seen[i];
	}
	return found;
}

static size_t read_all(int fd, struct umig_record *records, size_t max,
		       size_t at_once)
{
	size_t nr = 0;
	ssize_t n;

	while (nr + at_once <= max) {
		n = read(fd, &records[nr], at_once * sizeof(*records) + 1);
		if (n <= 0 || n % sizeof(*records))
			break;
		nr += n / sizeof(*records);
	}
	return nr;
}

static void test_export(void)
{
	static struct umig_record records[8192];
	size_t nr, again;
	int fd = dev_fresh("");

	REQUIRE(dev_settle(fd), "not settled");
	nr = read_all(fd, records, ARRAY_SIZE(records), 1000);
	CHECK(nr >= CONTENTS && nr <= dev_info(fd).hashed_pages,
	      "%zu records of %llu pages", nr,
	      (unsigned long long)dev_info(fd).hashed_pages);
	CHECK(region_records(records, nr) == CONTENTS,
	      "%zu of %u contents exported", region_records(records, nr),
	      CONTENTS);
	CHECK(read(fd, records, sizeof(records)) == 0, "no end of file");

	REQUIRE(lseek(fd, 0, SEEK_SET) == 0, "lseek");
	memset(records, 0, sizeof(records));
	again = read_all(fd, records, ARRAY_SIZE(records), 1);
	CHECK(again == nr, "%zu records one by one, %zu at once", again, nr);
	CHECK(region_records(records, again) == CONTENTS,
	      "%zu of %u contents exported one by one",
	      region_records(records, again), CONTENTS);
	close(fd);
}

static const struct test_case cases[] = {
	{ "digests equal libsodium's", test_equal },
	{ "the key id is the label's digest", test_key_id },
	{ "the same key again changes nothing", test_same_key },
	{ "a new key hashes everything anew", test_new_key },
	{ "read(2) exports every content", test_export },
};

int main(void)
{
	if (sodium_init() < 0)
		bail("libsodium");
	set_up();
	return test_main(cases, ARRAY_SIZE(cases));
}
