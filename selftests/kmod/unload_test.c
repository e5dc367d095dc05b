// SPDX-License-Identifier: GPL-2.0
/*
 * Loading and unloading: refused while the device is open, clean at any other
 * time, also in the middle of everything.  The lab watches the kernel's log:
 * a WARN, an Oops, or objects left in a slab cache fail the run.
 */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "churn.h"
#include "dev.h"
#include "harness.h"
#include "ksm.h"

#define CYCLES 50

static void test_open(void)
{
	int fd = dev_fresh(""), err;

	err = module_unload();
	CHECK(err == -EWOULDBLOCK || err == -EBUSY,
	      "unloading with an open device: %s", strerror(-err));
	CHECK(dev_info(fd).abi_version == UMIG_ABI_VERSION, "not usable");
	close(fd);
	err = module_unload();
	CHECK(!err, "unloading after close: %s", strerror(-err));
	CHECK(access("/dev/umig", F_OK) && errno == ENOENT,
	      "the device is left");
}

static void test_bad_parameters(void)
{
	static const char *const bad[] = {
		"queue_len=1", "queue_len=2000000", "lease_ttl_ms=0",
		"leases_per_file=0", "leases_total=-1", "index_limit_mb=x",
	};
	size_t i;
	int err;

	module_unload();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		err = module_load(bad[i]);
		CHECK(err == -EINVAL || err == -ERANGE, "%s: %s", bad[i],
		      strerror(-err));
	}
	CHECK(!module_load(""), "not loaded after all that");
}

static bool some_hashed(void *arg)
{
	return dev_info(*(int *)arg).hashed_pages > 20;
}

/* Leave at another moment each time: while scanning, hashing, leasing. */
static void cycle(unsigned int i)
{
	uint32_t leases[64], held;
	digest_t ask[64];
	size_t k;
	int fd;

	module_reload("");
	if (i % 4 == 0)
		return;
	fd = dev_open();
	dev_set_key(fd, test_key);
	if (i % 4 == 1)
		goto out;
	CHECK(wait_until(some_hashed, &fd, 20000), "nothing is hashed");
	for (k = 0; k < 64; k++)
		digest_of_seed(CHURN_FIRST + k, ask[k]);
	CHECK(!dev_confirm(fd, ask, 64, leases, &held), "CONFIRM");
out:
	close(fd);
}

static bool nothing_shared(void *arg)
{
	(void)arg;
	return ksm_read("pages_shared") == 0;
}

/* A process that is still about to end may map a page of one. */
static bool no_nodes_left(void *arg)
{
	(void)arg;
	return !ksm_try_write("max_page_sharing", 100);
}

static void test_cycles(void)
{
	unsigned int i;
	pid_t pids[2];

	ksm_reset();
	ksm_run();
	for (i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = churn_start(i + 70);
	for (i = 0; i < CYCLES; i++)
		cycle(i);
	CHECK(!module_unload(), "can't be unloaded");
	CHECK(ksm_read("pages_shared") > 0, "KSM wasn't merging");
	for (i = 0; i < ARRAY_SIZE(pids); i++)
		churn_stop(pids[i]);
	ksm_write("run", 2);
	CHECK(wait_until(nothing_shared, NULL, 20000),
	      "%ld pages still shared: a reference leaked",
	      ksm_read("pages_shared"));
	CHECK(wait_until(no_nodes_left, NULL, 20000), "stable nodes left");
	ksm_reset();
}

static const struct test_case cases[] = {
	{ "not while the device is open", test_open },
	{ "bad parameters are refused", test_bad_parameters },
	{ "50 cycles while KSM merges", test_cycles },
};

int main(void)
{
	if (sodium_init() < 0)
		bail("libsodium");
	return test_main(cases, ARRAY_SIZE(cases));
}
