// SPDX-License-Identifier: GPL-2.0
/*
 * A lease is a promise: its content stays what it was, whatever the pages'
 * users and KSM do, until it is given back; and it is always given back.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dev.h"
#include "harness.h"
#include "ksm.h"

#define CONTENTS 200
#define PAGES (3 * CONTENTS)
#define SEED 300000

static struct region region;
static digest_t digests[CONTENTS];
static uint32_t leases[CONTENTS];

static int set_up(const char *params)
{
	int fd;

	ksm_reset();
	fd = dev_fresh(params);
	ksm_run();
	region_map(&region, PAGES, CONTENTS, SEED);
	if (!region_wait_merged(&region))
		bail("KSM doesn't merge");
	ksm_write("run", 0);
	if (!dev_settle(fd))
		bail("not settled");
	return fd;
}

static void tear_down(int fd)
{
	region_unmap(&region);
	close(fd);
}

static uint32_t lease_all(int fd)
{
	uint32_t held = 0;
	int err = dev_confirm(fd, digests, CONTENTS, leases, &held);

	CHECK(!err, "CONFIRM: %s", strerror(-err));
	return held;
}

/* How many of the leases don't give their content. */
static size_t wrong_leases(int fd)
{
	char page[PAGE] __attribute__((aligned(PAGE)));
	char want[PAGE];
	size_t i, wrong = 0;

	for (i = 0; i < CONTENTS; i++) {
		memset(page, 0, PAGE);
		fill_page(want, SEED + i);
		if (dev_fill_page(fd, leases[i], page) ||
		    memcmp(page, want, PAGE))
			wrong++;
	}
	return wrong;
}

static void test_confirm(void)
{
	uint32_t lease[4] = { 7, 7, 7, 7 }, held;
	digest_t ask[4];
	int fd = set_up("");

	memcpy(ask[0], digests[0], DIGEST);
	memcpy(ask[1], digests[0], DIGEST);
	randombytes_buf(ask[2], DIGEST);
	memcpy(ask[3], digests[1], DIGEST);
	REQUIRE(!dev_confirm(fd, ask, 4, lease, &held), "CONFIRM");
	CHECK(held == 3, "%u held", held);
	CHECK(lease[0] && lease[1] && lease[0] != lease[1],
	      "the same digest twice: leases %u and %u", lease[0], lease[1]);
	CHECK(!lease[2], "an unknown digest is held");
	CHECK(lease[3], "a known digest isn't held");
	CHECK(dev_stat(fd).leases == 3, "%llu leases counted",
	      (unsigned long long)dev_stat(fd).leases);
	CHECK(dev_stat(fd).confirm_asked == 4 &&
	      dev_stat(fd).confirm_held == 3, "counters");
	tear_down(fd);
}

static bool scanned_twice(void *arg)
{
	return ksm_read("full_scans") >= *(long *)arg + 2;
}

static void test_users_write(void)
{
	struct region more;
	int fd = set_up("");
	long scans;
	size_t i;

	REQUIRE(lease_all(fd) == CONTENTS, "not all held");
	for (i = CONTENTS; i < PAGES; i++)
		region_write(&region, i, 1 + i);
	CHECK(!wrong_leases(fd), "%zu wrong after all users but one wrote",
	      wrong_leases(fd));
	for (i = 0; i < CONTENTS; i++)
		region_write(&region, i, 1 + i);
	CHECK(!wrong_leases(fd), "%zu wrong after all users wrote",
	      wrong_leases(fd));
	CHECK(region_intact(&region), "the users' content is wrong");

	/* The same after ksmd has merged others and come by again. */
	region_map(&more, 64, 32, 12345);
	scans = ksm_read("full_scans");
	ksm_run();
	REQUIRE(region_wait_merged(&more), "not merged");
	REQUIRE(wait_until(scanned_twice, &scans, 20000), "ksmd doesn't scan");
	CHECK(!wrong_leases(fd), "%zu wrong after scans", wrong_leases(fd));
	region_unmap(&more);
	tear_down(fd);
}

static void test_users_unmap(void)
{
	int fd = set_up("");

	REQUIRE(lease_all(fd) == CONTENTS, "not all held");
	region_unmap(&region);
	CHECK(!wrong_leases(fd), "%zu wrong after munmap", wrong_leases(fd));
	ksm_write("run", 2);
	CHECK(!wrong_leases(fd), "%zu wrong after munmap and run=2",
	      wrong_leases(fd));
	close(fd);
	CHECK(ksm_read("pages_shared") == 0, "%ld pages still shared",
	      ksm_read("pages_shared"));
}

static void test_unmerged(void)
{
	int fd = set_up("");
	size_t i;

	REQUIRE(lease_all(fd) == CONTENTS, "not all held");
	ksm_write("run", 2);
	CHECK(!wrong_leases(fd), "%zu wrong after run=2", wrong_leases(fd));
	for (i = 0; i < PAGES; i++)
		region_write(&region, i, 1 + i);
	CHECK(!wrong_leases(fd), "%zu wrong after run=2 and writes",
	      wrong_leases(fd));
	tear_down(fd);
}

static void test_release(void)
{
	uint32_t some[3], released;
	int fd = set_up("");

	REQUIRE(lease_all(fd) == CONTENTS, "not all held");
	some[0] = leases[0];
	some[1] = 0x7fffffff;
	some[2] = leases[1];
	REQUIRE(!dev_release(fd, some, 3, &released), "RELEASE");
	CHECK(released == 2, "%u released", released);
	CHECK(dev_fill_page(fd, leases[0], region.base) == -ENOENT,
	      "a released lease still fills");
	CHECK(region_intact(&region), "it has written");
	REQUIRE(!dev_release(fd, some, 3, &released), "RELEASE");
	CHECK(released == 0, "released twice");
	REQUIRE(!dev_release_all(fd, &released), "RELEASE all");
	CHECK(released == CONTENTS - 2, "%u released", released);
	CHECK(dev_stat(fd).leases == 0 &&
	      dev_stat(fd).lease_released == CONTENTS, "counters");
	tear_down(fd);
}

static void test_not_of_another_file(void)
{
	int fd = set_up(""), other = dev_open();
	char page[PAGE] __attribute__((aligned(PAGE)));
	uint32_t released;

	REQUIRE(lease_all(fd) == CONTENTS, "not all held");
	CHECK(dev_fill_page(other, leases[0], page) == -ENOENT,
	      "another file's lease fills");
	CHECK(!dev_release(other, leases, CONTENTS, &released) && !released,
	      "%u of another file's leases released", released);
	CHECK(dev_stat(fd).leases == CONTENTS, "leases lost");
	close(other);
	tear_down(fd);
}

static void test_close(void)
{
	int fd = set_up(""), other = dev_open();

	REQUIRE(lease_all(other) == CONTENTS, "not all held");
	CHECK(dev_stat(fd).leases == CONTENTS, "%llu leases",
	      (unsigned long long)dev_stat(fd).leases);
	close(other);
	CHECK(dev_stat(fd).leases == 0, "%llu leases after close",
	      (unsigned long long)dev_stat(fd).leases);
	tear_down(fd);
}

static bool no_leases(void *arg)
{
	return dev_stat(*(int *)arg).leases == 0;
}

static void test_death(void)
{
	int fd = set_up(""), status, go[2];
	pid_t pid;
	char c;

	REQUIRE(!pipe(go), "pipe");
	pid = fork();
	if (pid == 0) {
		int mine = dev_open();

		lease_all(mine);
		if (write(go[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	REQUIRE(read(go[0], &c, 1) == 1, "the child is gone");
	CHECK(dev_stat(fd).leases == CONTENTS, "%llu leases",
	      (unsigned long long)dev_stat(fd).leases);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	CHECK(wait_until(no_leases, &fd, 5000), "%llu leases after death",
	      (unsigned long long)dev_stat(fd).leases);
	close(go[0]);
	close(go[1]);
	tear_down(fd);
}

static void test_limits(void)
{
	int fd = set_up(""), other = dev_open();
	size_t i, zeroes = 0;

	module_param("leases_per_file", 10);
	CHECK(lease_all(fd) == 10, "%llu leases with a limit of 10",
	      (unsigned long long)dev_stat(fd).leases);
	for (i = 0; i < CONTENTS; i++)
		zeroes += !leases[i];
	CHECK(zeroes == CONTENTS - 10, "%zu answers of 0", zeroes);
	CHECK(lease_all(fd) == 0, "beyond the limit in a second call");

	module_param("leases_per_file", 1000);
	module_param("leases_total", 60);
	CHECK(lease_all(other) == 50, "%llu leases with a total of 60",
	      (unsigned long long)dev_stat(fd).leases);
	close(other);
	CHECK(lease_all(fd) == 50, "no room after another file closed");
	tear_down(fd);
}

#define ROUNDS 100
#define FEW 20

/* What is leased may be gone if the file isn't ours alone, but never wrong. */
static bool fight_once(int fd, bool alone)
{
	char page[PAGE] __attribute__((aligned(PAGE)));
	char want[PAGE];
	uint32_t held, released;
	size_t i;
	int err;

	if (dev_confirm(fd, digests, CONTENTS, leases, &held))
		return false;
	for (i = rand() % FEW; i < CONTENTS; i += FEW) {
		if (!leases[i])
			continue;
		err = dev_fill_page(fd, leases[i], page);
		if (err == -ENOENT && !alone)
			continue;
		fill_page(want, SEED + i);
		if (err || memcmp(page, want, PAGE))
			return false;
	}
	return !dev_release_all(fd, &released) && (!alone || released == held);
}

static void fight(int shared, unsigned int seed)
{
	int own = dev_open();
	bool alone;
	size_t i;

	srand(seed);
	for (i = 0; i < ROUNDS; i++) {
		alone = rand() % 2;
		if (!fight_once(alone ? own : shared, alone))
			_exit(1);
	}
	/* With leases. */
	_exit(!!dev_confirm(own, digests, FEW, leases, &(uint32_t){ 0 }));
}

/* Two want nearly all that there is, on files of their own and on a common one. */
static void test_fight(void)
{
	int fd = set_up(""), status;
	pid_t pids[2];
	size_t i;

	module_param("leases_total", CONTENTS + FEW);
	for (i = 0; i < 2; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			bail("fork failed");
		if (pids[i] == 0)
			fight(fd, i + 1);
	}
	for (i = 0; i < 2; i++) {
		waitpid(pids[i], &status, 0);
		CHECK(!status, "opener %zu: status %x", i, status);
	}
	CHECK(!dev_stat(fd).leases, "%llu leases left",
	      (unsigned long long)dev_stat(fd).leases);
	CHECK(dev_stat(fd).lease_refused > 0, "there was no fight");
	module_param("leases_total", CONTENTS);
	CHECK(lease_all(fd) == CONTENTS, "not all can be leased afterwards");
	CHECK(!wrong_leases(fd), "%zu leases wrong", wrong_leases(fd));
	tear_down(fd);
}

#define LIMITED 30
#define OTHER_USER 1000

/* In a process of another user: how many leases two files of it get. */
static int leases_of_other_user(void)
{
	uint32_t held = 0, more = 0;
	int one, two;

	if (setgid(OTHER_USER) || setuid(OTHER_USER))
		return 255;
	one = dev_open();
	two = dev_open();
	if (dev_confirm(one, digests, LIMITED - 10, leases, &held) ||
	    dev_confirm(two, digests, LIMITED - 10, leases, &more))
		return 255;
	return held + more;
}

static void test_limit_by_user(void)
{
	int fd = set_up(""), other = dev_open(), status;
	pid_t pid;

	REQUIRE(!chmod("/dev/umig", 0666), "chmod: %s", strerror(errno));
	module_param("leases_per_uid", LIMITED);
	CHECK(lease_all(fd) == LIMITED, "%llu leases with a limit of %u",
	      (unsigned long long)dev_stat(fd).leases, LIMITED);
	CHECK(lease_all(other) == 0, "another file of the user gets leases");
	pid = fork();
	if (pid == 0)
		_exit(leases_of_other_user());
	REQUIRE(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "fork");
	CHECK(WEXITSTATUS(status) == LIMITED, "%d leases of another user",
	      WEXITSTATUS(status));
	CHECK(dev_stat(fd).lease_refused == 2 * CONTENTS - LIMITED +
	      2 * (LIMITED - 10) - LIMITED, "%llu refusals counted",
	      (unsigned long long)dev_stat(fd).lease_refused);
	close(fd);
	CHECK(lease_all(other) == LIMITED, "no room after a file is closed");
	tear_down(other);
}

#define RATE 1024

/* The lower bound holds however slow the machine is. */
static void test_rate(void)
{
	static digest_t unknown[RATE];
	static uint32_t answers[RATE];
	int fd = set_up("confirm_rate=1024"), other = dev_open(), i;
	uint64_t start = now_ms();
	uint32_t held;

	randombytes_buf(unknown, sizeof(unknown));
	for (i = 0; i < 5; i++)
		REQUIRE(!dev_confirm(i % 2 ? fd : other, unknown, RATE,
				     answers, &held) && !held, "CONFIRM");
	CHECK(now_ms() - start >= 2500, "5 x %u digests in %llu ms", RATE,
	      (unsigned long long)(now_ms() - start));
	CHECK(dev_stat(fd).confirm_throttled > 0, "not counted");
	close(other);
	/* A new file doesn't begin anew. */
	start = now_ms();
	other = dev_open();
	for (i = 0; i < 2; i++)
		REQUIRE(!dev_confirm(other, unknown, RATE, answers, &held),
			"CONFIRM");
	CHECK(now_ms() - start >= 1000, "2 x %u more in %llu ms", RATE,
	      (unsigned long long)(now_ms() - start));
	close(other);
	tear_down(fd);
}

static bool reclaimed_all(void *arg)
{
	write_file("/proc/sys/vm/drop_caches", "2");
	return no_leases(arg);
}

static void test_memory_pressure(void)
{
	int fd = set_up("lease_grace_ms=3600000");
	char page[PAGE] __attribute__((aligned(PAGE)));

	REQUIRE(lease_all(fd) == CONTENTS, "not all held");
	REQUIRE(!write_file("/proc/sys/vm/drop_caches", "2"), "drop_caches");
	CHECK(dev_stat(fd).leases == CONTENTS, "leases in use taken back");
	CHECK(!wrong_leases(fd), "%zu wrong", wrong_leases(fd));
	module_param("lease_grace_ms", 1);
	CHECK(wait_until(reclaimed_all, &fd, 20000), "%llu leases left",
	      (unsigned long long)dev_stat(fd).leases);
	CHECK(dev_stat(fd).lease_reclaimed == CONTENTS, "%llu counted",
	      (unsigned long long)dev_stat(fd).lease_reclaimed);
	CHECK(dev_fill_page(fd, leases[0], page) == -ENOENT,
	      "a lease that was taken back fills");
	CHECK(region_intact(&region), "the users' content is wrong");
	tear_down(fd);
}

static bool one_lease(void *arg)
{
	return dev_stat(*(int *)arg).leases == 1;
}

static void test_expiry(void)
{
	char page[PAGE] __attribute__((aligned(PAGE)));
	int fd = set_up("lease_ttl_ms=1500");
	uint64_t end;

	CHECK(dev_info(fd).lease_ttl_ms == 1500, "INFO says %u ms",
	      dev_info(fd).lease_ttl_ms);
	REQUIRE(lease_all(fd) == CONTENTS, "not all held");
	/* One is used all the time, for more than twice its life. */
	for (end = now_ms() + 4000; now_ms() < end; poll(NULL, 0, 200))
		REQUIRE(!dev_fill_page(fd, leases[5], page),
			"a lease in use expired");
	REQUIRE(wait_until(one_lease, &fd, 5000), "%llu leases left",
		(unsigned long long)dev_stat(fd).leases);
	CHECK(dev_stat(fd).lease_expired == CONTENTS - 1, "%llu expired",
	      (unsigned long long)dev_stat(fd).lease_expired);
	CHECK(dev_fill_page(fd, leases[4], page) == -ENOENT,
	      "an expired lease fills");
	REQUIRE(wait_until(no_leases, &fd, 5000), "the last didn't expire");
	tear_down(fd);
}

static void test_fill_items(void)
{
	int fd = set_up("");
	char *to = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char want[PAGE];
	struct umig_fill_item items[6] = {};
	uint32_t filled;

	REQUIRE(to != MAP_FAILED && lease_all(fd) == CONTENTS, "set up");
	mprotect(to + 2 * PAGE, PAGE, PROT_READ);
	munmap(to + 3 * PAGE, PAGE);
	items[0] = (struct umig_fill_item){ (uintptr_t)to, leases[0], 99 };
	items[1] = (struct umig_fill_item){ (uintptr_t)to, 0, 99 };
	items[2] = (struct umig_fill_item){ (uintptr_t)to + 8, leases[0], 99 };
	items[3] = (struct umig_fill_item){ (uintptr_t)to + 2 * PAGE,
					    leases[0], 99 };
	items[4] = (struct umig_fill_item){ (uintptr_t)to + 3 * PAGE,
					    leases[0], 99 };
	items[5] = (struct umig_fill_item){ (uintptr_t)to + PAGE,
					    leases[1], 99 };
	REQUIRE(!dev_fill(fd, items, 6, &filled), "FILL");
	CHECK(filled == 2, "%u filled", filled);
	CHECK(items[0].result == 0, "good: %d", items[0].result);
	CHECK(items[1].result == -ENOENT, "lease 0: %d", items[1].result);
	CHECK(items[2].result == -EINVAL, "unaligned: %d", items[2].result);
	CHECK(items[3].result == -EFAULT, "read-only: %d", items[3].result);
	CHECK(items[4].result == -EFAULT, "unmapped: %d", items[4].result);
	CHECK(items[5].result == 0, "good: %d", items[5].result);
	fill_page(want, SEED);
	CHECK(!memcmp(to, want, PAGE), "wrong content");
	fill_page(want, SEED + 1);
	CHECK(!memcmp(to + PAGE, want, PAGE), "wrong content");
	CHECK(dev_stat(fd).filled == 2 && dev_stat(fd).fill_failed == 4,
	      "counters");
	munmap(to, 3 * PAGE);
	tear_down(fd);
}

static void test_rehash(void)
{
	uint32_t released;
	int fd = set_up("");
	int i;

	for (i = 0; i < 4; i++) {
		REQUIRE(lease_all(fd) == CONTENTS, "not all held");
		REQUIRE(!dev_release_all(fd, &released), "RELEASE");
	}
	CHECK(dev_stat(fd).lease_rehashed == 4 * CONTENTS / 64,
	      "%llu of %u leases hashed again",
	      (unsigned long long)dev_stat(fd).lease_rehashed, 4 * CONTENTS);
	CHECK(dev_stat(fd).lease_mismatch == 0, "a mismatch");
	tear_down(fd);
}

#ifndef MADV_HWPOISON
#define MADV_HWPOISON 100
#endif

/*
 * In a process of its own: since 6.4 the kernel finds the users of a merged page
 * and sends SIGBUS to the one that is about to touch it, which who breaks memory
 * counts as.  Returns 0 or -errno.
 */
static int break_page(void *page)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(madvise(page, PAGE, MADV_HWPOISON) ? errno : 0);
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGBUS ? 0 : -EINTR;
	/* It marks the page, then finds that it can't isolate it. */
	return WEXITSTATUS(status) == EBUSY ? 0 : -WEXITSTATUS(status);
}

static void test_broken_memory(void)
{
	char page[PAGE] __attribute__((aligned(PAGE)));
	int fd = set_up(""), other = dev_open();
	uint32_t lease, held;
	int err;

	REQUIRE(lease_all(fd) == CONTENTS, "not all held");
	err = break_page(region.base);
	if (err) {
		test_skip("can't break memory: %s", strerror(-err));
		goto out;
	}
	CHECK(dev_fill_page(fd, leases[0], page) == -EHWPOISON,
	      "a lease of broken memory fills");
	CHECK(!dev_fill_page(fd, leases[1], page), "another doesn't");
	CHECK(!dev_confirm(other, digests, 1, &lease, &held) && !held,
	      "broken memory is held");
out:
	close(other);
	tear_down(fd);
}

static bool nothing_shared(void *arg)
{
	(void)arg;
	return ksm_read("pages_shared") == 0;
}

/* A leaked reference would keep the page, and with it the node. */
static void test_no_leak(void)
{
	int fd = set_up(""), i;
	uint32_t released;

	for (i = 0; i < 20; i++) {
		REQUIRE(lease_all(fd) == CONTENTS, "not all held");
		REQUIRE(!wrong_leases(fd), "wrong");
		REQUIRE(!dev_release_all(fd, &released), "RELEASE");
	}
	tear_down(fd);
	ksm_write("run", 2);
	CHECK(wait_until(nothing_shared, NULL, 10000),
	      "%ld pages shared without users", ksm_read("pages_shared"));
	/* KSM refuses this while a stable node is left. */
	CHECK(!ksm_try_write("max_page_sharing", 100), "stable nodes left");
}

static const struct test_case cases[] = {
	{ "held, unknown and double digests", test_confirm },
	{ "content stays while all users write", test_users_write },
	{ "content stays after all users unmap", test_users_unmap },
	{ "content stays when KSM un-merges", test_unmerged },
	{ "RELEASE", test_release },
	{ "leases belong to their file", test_not_of_another_file },
	{ "close releases", test_close },
	{ "the owner's death releases", test_death },
	{ "limits by file and in total", test_limits },
	{ "two openers fight", test_fight },
	{ "limit by user", test_limit_by_user },
	{ "CONFIRM is paced by user", test_rate },
	{ "short memory takes back what isn't in use", test_memory_pressure },
	{ "unused leases expire, used ones don't", test_expiry },
	{ "results of FILL by item", test_fill_items },
	{ "one lease in 64 is hashed again", test_rehash },
	{ "no reference leaks", test_no_leak },
	{ "broken memory is an error of its item", test_broken_memory },
};

int main(void)
{
	size_t i;
	int err;

	if (sodium_init() < 0)
		bail("libsodium");
	for (i = 0; i < CONTENTS; i++)
		digest_of_seed(SEED + i, digests[i]);
	err = test_main(cases, ARRAY_SIZE(cases));
	ksm_reset();
	return err;
}
