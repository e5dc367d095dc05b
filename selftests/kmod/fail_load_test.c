// SPDX-License-Identifier: GPL-2.0
/*
 * No memory while the module is loaded: each allocation of its init fails once,
 * by itself.  The load says ENOMEM and leaves nothing behind, or it has got by
 * without; a load with memory works afterwards.  What leaks is found by the lab
 * (kmemleak), what goes wrong otherwise by the kernel's checkers.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dev.h"
#include "fault.h"
#include "harness.h"
#include "ksm.h"

#define PAGES 48
#define CONTENTS 16
#define SEED 710000
/* The kernel's own part of a load isn't the same to the allocation each time. */
#define SLACK 20

static int ko = -1;
static unsigned int got_by;

static int try_load(void)
{
	return syscall(SYS_finit_module, ko, "", 0) ? -errno : 0;
}

/* Refused before the module's init has allocated anything. */
static int try_refused_load(void)
{
	return syscall(SYS_finit_module, ko, "queue_len=1", 0) ? -errno : 0;
}

static void check_usable(void)
{
	int fd = dev_open();

	CHECK(dev_info(fd).abi_version == UMIG_ABI_VERSION, "INFO");
	CHECK(!dev_set_key(fd, test_key), "SET_KEY");
	close(fd);
}

static void check_load(int err, bool fired)
{
	CHECK(!err || (fired && err == -ENOMEM), "%s", strerror(-err));
	if (err) {
		CHECK(access("/dev/umig", F_OK), "a device is left");
		CHECK(access("/sys/module/umig", F_OK), "a module is left");
		return;
	}
	got_by += fired;
	check_usable();
	err = module_unload();
	CHECK(!err, "can't be unloaded: %s", strerror(-err));
}

static unsigned int init_begins(void)
{
	unsigned int n = fault_count(try_refused_load);

	return n > SLACK ? n - SLACK : 1;
}

static void check_works(void)
{
	static uint8_t classes[PAGES];
	static digest_t digests[PAGES];
	struct region r;
	size_t i, n = 0;
	digest_t want;
	int fd;

	ksm_reset();
	fd = dev_fresh("");
	ksm_run();
	region_map(&r, PAGES, CONTENTS, SEED);
	REQUIRE(region_wait_merged(&r), "KSM doesn't merge");
	ksm_write("run", 0);
	REQUIRE(dev_settle(fd), "not settled");
	REQUIRE(!dev_range(fd, r.base, PAGES, classes, digests), "RANGE");
	for (i = 0; i < PAGES; i++) {
		digest_of_seed(r.seeds[i], want);
		n += classes[i] == UMIG_PAGE_MERGED &&
		     !memcmp(digests[i], want, DIGEST);
	}
	CHECK(n == PAGES, "%zu of %u pages known", n, PAGES);
	region_unmap(&r);
	close(fd);
	ksm_reset();
}

static void test_load(void)
{
	struct fault_op op = { .run = try_load, .check = check_load };
	unsigned int failed;

	if (!fault_begin())
		return;
	module_unload();
	ko = open(getenv("UMIG_KO") ?: "/umig.ko", O_RDONLY | O_CLOEXEC);
	if (ko < 0)
		bail("the module: %s", strerror(errno));
	check_load(try_load(), false);
	op.first = init_begins();
	failed = fault_sweep(&op);
	diag("%u allocations failed, from %u on; %u loads got by without",
	     failed, op.first, got_by);
	CHECK(failed > SLACK + 10, "too few failed: this is no test");
	close(ko);
	fault_end();
	check_works();
}

static const struct test_case cases[] = {
	{ "each allocation of a load fails once", test_load },
};

int main(void)
{
	if (sodium_init() < 0)
		bail("libsodium");
	return test_main(cases, ARRAY_SIZE(cases));
}
