// SPDX-License-Identifier: GPL-2.0
/*
 * No memory: each allocation of each call fails once, by itself.  The call then says ENOMEM and has done nothing, or it has
 * got by without and has done all; afterwards everything works.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
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

static int mem_fd;

static int try_range_of(void)
{
	return dev_range_of(dev, mem_fd, region.base, PAGES, classes, digests);
}

static void test_range_of(void)
{
	static const struct fault_op op = {
		.prepare = prepare_range, .run = try_range_of,
		.check = check_range,
	};
	char path[64];
	pid_t pid;

	if (!set_up())
		return;
	pid = fork();
	if (pid < 0)
		bail("fork: %s", strerror(errno));
	if (pid == 0)
		for (;;)
			pause();
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem_fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(mem_fd >= 0, "%s: %s", path, strerror(errno));
	sweep(&op);
	close(mem_fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
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

static struct region target;
static uint32_t shared;

/* ksmd is at work, as SHARE wants it, but not on this. */
static void enable_share(void)
{
	module_param("share", 1);
	ksm_write("pages_to_scan", 1);
	ksm_write("sleep_millisecs", 10000);
	ksm_write("run", 1);
}

/* Memory without pages, in a process that nothing has been shared with. */
static void prepare_share(void)
{
	size_t i;

	region_map(&target, CONTENTS, CONTENTS, 2 * SEED);
	if (madvise(target.base, CONTENTS * PAGE, MADV_DONTNEED))
		bail("MADV_DONTNEED: %s", strerror(errno));
	for (i = 0; i < CONTENTS; i++)
		items[i] = (struct umig_fill_item){
			.addr = (uintptr_t)target.base + i * PAGE,
			.lease = leases[i],
			.result = -1,
		};
}

static int try_share(void)
{
	return dev_share(dev, items, CONTENTS, &count, &shared);
}

/* No page, a copy or the page itself, but never half of one. */
static void check_share(int err, bool fired)
{
	uint32_t filled = 0, merged = 0;
	char want[PAGE];
	size_t i;

	if (!worked(err, fired))
		return;
	for (i = 0; i < CONTENTS; i++) {
		CHECK(items[i].result >= 0 ||
		      (fired && items[i].result == -EFAULT),
		      "page %zu: %d", i, items[i].result);
		if (items[i].result < 0)
			continue;
		fill_page(want, SEED + i);
		CHECK(!memcmp(target.base + i * PAGE, want, PAGE),
		      "page %zu: another content", i);
		filled++;
		merged += items[i].result == 0;
	}
	CHECK(filled == count && merged == shared,
	      "%u of %u filled, %u of %u shared", filled, count, merged,
	      shared);
	CHECK(fired || shared == CONTENTS, "only %u shared", shared);
}

static void test_share(void)
{
	static const struct fault_op op = {
		.prepare = prepare_share, .run = try_share,
		.check = check_share,
	};
	unsigned int failed;

	if (!set_up())
		return;
	CHECK(!try_confirm(), "CONFIRM");
	enable_share();
	failed = fault_sweep_forked(&op);
	diag("%u allocations failed", failed);
	CHECK(failed > CONTENTS, "too few failed: this is no test");
	CHECK(dev_stat(dev).leases == CONTENTS, "leases are lost");
	tear_down();
	ksm_reset();
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
	struct umig_events events = { .size = sizeof(events) };
	int err = dev_ioctl(dev, UMIG_IOC_INFO, &info);

	if (!err)
		err = dev_ioctl(dev, UMIG_IOC_STAT, &stat);
	if (!err)
		err = dev_ioctl(dev, UMIG_IOC_EVENTS, &events);
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
	{ "RANGE of another process", test_range_of },
	{ "CONFIRM", test_confirm },
	{ "FILL", test_fill },
	{ "SHARE", test_share },
	{ "RELEASE", test_release },
	{ "read", test_read },
	{ "INFO, STAT, EVENTS, SET_KEY need no memory", test_small },
};

int main(void)
{
	if (sodium_init() < 0)
		bail("libsodium");
	return test_main(cases, ARRAY_SIZE(cases));
}
