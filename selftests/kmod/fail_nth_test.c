// SPDX-License-Identifier: GPL-2.0
/*
 * No memory: each allocation of each call fails once, by itself.  The call then says ENOMEM and has done nothing, or it has
 * got by without and has done all; afterwards everything works.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dev.h"
#include "fault.h"
#include "harness.h"
#include "ksm.h"

#define CONTENTS 16
#define PAGES (3 * CONTENTS)
#define SEED 700000

static struct region region;
static digest_t asked[CONTENTS];
static uint32_t leases[CONTENTS];
static int dev = -1;

/* What a try has answered. */
static uint8_t classes[PAGES];
static digest_t digests[PAGES];
static struct umig_fill_item items[CONTENTS];
static struct umig_record records[2 * PAGES];
static char filled[CONTENTS * PAGE] __attribute__((aligned(PAGE)));
static uint32_t count;
static ssize_t got;
static int fd;

static bool set_up(void)
{
	size_t i;

	if (!fault_begin())
		return false;
	ksm_reset();
	dev = dev_fresh("");
	ksm_run();
	region_map(&region, PAGES, CONTENTS, SEED);
	if (!region_wait_merged(&region))
		bail("KSM doesn't merge");
	ksm_write("run", 0);
	if (!dev_settle(dev))
		bail("not settled");
	for (i = 0; i < CONTENTS; i++)
		digest_of_seed(SEED + i, asked[i]);
	return true;
}

static void tear_down(void)
{
	close(dev);
	region_unmap(&region);
	fault_end();
}

static unsigned int sweep_any(const struct fault_op *op)
{
	/* What needs memory the first time only has it. */
	if (op->prepare)
		op->prepare();
	op->check(op->run(), false);
	return fault_sweep(op);
}

static void sweep(const struct fault_op *op)
{
	unsigned int failed = sweep_any(op);

	diag("%u allocations failed", failed);
	CHECK(failed > 0, "nothing failed: this is no test");
}

/* Whatever it is, it is one or the other. */
static bool worked(int err, bool fired)
{
	CHECK(!err || (fired && err == -ENOMEM), "%s", strerror(-err));
	return !err;
}

static int try_open(void)
{
	fd = open("/dev/umig", O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : 0;
}

static void check_open(int err, bool fired)
{
	if (!worked(err, fired))
		return;
	CHECK(dev_info(fd).abi_version == UMIG_ABI_VERSION, "not usable");
	close(fd);
}

static void test_open(void)
{
	static const struct fault_op op = {
		.run = try_open, .check = check_open,
	};

	if (!set_up())
		return;
	sweep(&op);
	tear_down();
}

/* A file that has joined nothing. */
static void prepare_join(void)
{
	fd = dev_open();
}

static int try_join(void)
{
	struct umig_join join = { .size = sizeof(join) };

	return dev_ioctl(fd, UMIG_IOC_JOIN, &join);
}

static void check_join(int err, bool fired)
{
	worked(err, fired);
	CHECK(!try_join(), "can't join any more");
	CHECK(!dev_stat(fd).group_members, "somebody is in a group");
	close(fd);
}

static void test_join(void)
{
	static const struct fault_op op = {
		.prepare = prepare_join, .run = try_join, .check = check_join,
	};

	if (!set_up())
		return;
	sweep(&op);
	tear_down();
}

static void prepare_range(void)
{
	memset(classes, 0, sizeof(classes));
	memset(digests, 0, sizeof(digests));
}

static int try_range(void)
{
	return dev_range(dev, region.base, PAGES, classes, digests);
}

static void check_range(int err, bool fired)
{
	size_t i, wrong = 0;

	if (!worked(err, fired))
		return;
	for (i = 0; i < PAGES; i++)
		wrong += classes[i] != UMIG_PAGE_MERGED ||
			 memcmp(digests[i], asked[i % CONTENTS], DIGEST);
	CHECK(!wrong, "%zu pages are wrong", wrong);
}

static void test_range(void)
{
	static const struct fault_op op = {
		.prepare = prepare_range, .run = try_range,
		.check = check_range,
	};

	if (!set_up())
		return;
	sweep(&op);
	tear_down();
}

static int try_confirm(void)
{
	return dev_confirm(dev, asked, CONTENTS, leases, &count);
}

static void check_confirm(int err, bool fired)
{
	uint64_t held = dev_stat(dev).leases;

	if (worked(err, fired))
		CHECK(count == CONTENTS && held == CONTENTS,
		      "%u confirmed, %llu leases", count,
		      (unsigned long long)held);
	else
		CHECK(!held, "%llu leases after an error",
		      (unsigned long long)held);
	CHECK(!dev_release_all(dev, &count), "RELEASE");
}

static void test_confirm(void)
{
	static const struct fault_op op = {
		.run = try_confirm, .check = check_confirm,
	};

	if (!set_up())
		return;
	sweep(&op);
	tear_down();
}

static void prepare_fill(void)
{
	size_t i;

	memset(filled, 0, sizeof(filled));
	for (i = 0; i < CONTENTS; i++)
		items[i] = (struct umig_fill_item){
			.addr = (uintptr_t)filled + i * PAGE,
			.lease = leases[i],
			.result = 1,
		};
}

static int try_fill(void)
{
	return dev_fill(dev, items, CONTENTS, &count);
}

static void check_fill(int err, bool fired)
{
	char want[PAGE];
	size_t i;

	if (!worked(err, fired))
		return;
	CHECK(count == CONTENTS, "%u filled", count);
	for (i = 0; i < CONTENTS; i++) {
		fill_page(want, SEED + i);
		CHECK(!items[i].result &&
		      !memcmp(filled + i * PAGE, want, PAGE),
		      "page %zu: %d", i, items[i].result);
	}
}

static void test_fill(void)
{
	static const struct fault_op op = {
		.prepare = prepare_fill, .run = try_fill, .check = check_fill,
	};

	if (!set_up())
		return;
	CHECK(!try_confirm(), "CONFIRM");
	sweep(&op);
	tear_down();
}

static void prepare_release(void)
{
	CHECK(!try_confirm() && count == CONTENTS, "CONFIRM");
}

static int try_release(void)
{
	return dev_release(dev, leases, CONTENTS, &count);
}

static void check_release(int err, bool fired)
{
	uint64_t held = dev_stat(dev).leases;

	if (worked(err, fired))
		CHECK(count == CONTENTS && !held, "%u released, %llu left",
		      count, (unsigned long long)held);
	else
		CHECK(held == CONTENTS, "%llu leases after an error",
		      (unsigned long long)held);
	CHECK(!dev_release_all(dev, &count), "RELEASE");
}

static void test_release(void)
{
	static const struct fault_op op = {
		.prepare = prepare_release, .run = try_release,
		.check = check_release,
	};

	if (!set_up())
		return;
	sweep(&op);
	tear_down();
}

static void prepare_read(void)
{
	CHECK(!lseek(dev, 0, SEEK_SET), "lseek: %s", strerror(errno));
	memset(records, 0, sizeof(records));
}

static int try_read(void)
{
	got = read(dev, records, sizeof(records));
	return got < 0 ? -errno : 0;
}

static void check_read(int err, bool fired)
{
	size_t i, k, found = 0;

	if (!worked(err, fired))
		return;
	for (i = 0; i < got / sizeof(*records); i++)
		for (k = 0; k < CONTENTS; k++)
			found += !memcmp(records[i].digest, asked[k], DIGEST);
	CHECK(found == CONTENTS, "%zu contents found", found);
}

static void test_read(void)
{
	static const struct fault_op op = {
		.prepare = prepare_read, .run = try_read, .check = check_read,
	};

	if (!set_up())
		return;
	sweep(&op);
	tear_down();
}

static int try_small(void)
{
	struct umig_info info = { .size = sizeof(info) };
	struct umig_stat stat = { .size = sizeof(stat) };
	int err = dev_ioctl(dev, UMIG_IOC_INFO, &info);

	if (!err)
		err = dev_ioctl(dev, UMIG_IOC_STAT, &stat);
	return err ? err : dev_set_key(dev, test_key);
}

static void check_small(int err, bool fired)
{
	(void)fired;
	CHECK(!err, "%s", strerror(-err));
}

static void test_small(void)
{
	static const struct fault_op op = {
		.run = try_small, .check = check_small,
	};
	unsigned int failed;

	if (!set_up())
		return;
	failed = sweep_any(&op);
	CHECK(!failed, "%u allocations", failed);
	tear_down();
}

static const struct test_case cases[] = {
	{ "open", test_open },
	{ "JOIN", test_join },
	{ "RANGE", test_range },
	{ "CONFIRM", test_confirm },
	{ "FILL", test_fill },
	{ "RELEASE", test_release },
	{ "read", test_read },
	{ "INFO, STAT, SET_KEY need no memory", test_small },
};

int main(void)
{
	if (sodium_init() < 0)
		bail("libsodium");
	return test_main(cases, ARRAY_SIZE(cases));
}
