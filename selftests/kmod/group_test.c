// SPDX-License-Identifier: GPL-2.0
/*
 * Trust groups: a page is told of to files of the groups of those who share it,
 * and to nobody else, whatever becomes of the sharers and of their files.
 *
 * The test itself is of the common group, and root: it loads the module, reads
 * all counters and asks as a stranger.  group_test SECONDS
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "dev.h"
#include "harness.h"
#include "ksm.h"

#define PAGES 100
#define SEED 700000
#define COMMON 0

static unsigned int seconds = 10;

/* ksmd doesn't scan, or count, when nobody has anything to merge. */
static void keep_ksmd_busy(void)
{
	static struct actor bystander;

	if (bystander.pid)
		return;
	bystander = actor_start();
	actor_map(&bystander, 1, 2);
	actor_close(&bystander);
}

static int set_up(void)
{
	int fd;

	keep_ksmd_busy();
	ksm_reset();
	fd = dev_fresh("");
	ksm_run();
	return fd;
}

static bool scanned_on(void *arg)
{
	return ksm_read("full_scans") >= *(long *)arg + 3;
}

/* KSM passes by everything, and what it does is hashed. */
static void let_ksm_pass(int fd)
{
	long scans = ksm_read("full_scans");

	ksm_write("run", 1);
	CHECK(wait_until(scanned_on, &scans, MERGE_TIMEOUT_MS),
	      "ksmd doesn't scan");
	ksm_write("run", 0);
	CHECK(dev_settle(fd), "not settled");
}

/* Two actors with the same pages; ksmd has stopped. */
static void share(int fd, struct actor *one, struct actor *other,
		  uint64_t first)
{
	ksm_write("run", 1);
	CHECK(!actor_map(one, first, PAGES) &&
	      !actor_map(other, first, PAGES) &&
	      !actor_merged(one) && !actor_merged(other), "not merged");
	ksm_write("run", 0);
	CHECK(dev_settle(fd), "not settled");
}

static void expect_held(struct actor *a, uint64_t first, int want,
			const char *who)
{
	int held = actor_confirm(a, first, PAGES);

	CHECK(held == want, "%d of %u confirmed to %s, should be %d", held,
	      PAGES, who, want);
	held = actor_exported(a, first, PAGES);
	CHECK(held == want, "read(2) tells %s of %d, should be %d", who, held,
	      want);
}

static void test_apart(void)
{
	int fd = set_up();
	struct actor a1 = actor_start_in('a'), a2 = actor_start_in('a');
	struct actor a3 = actor_start_in('a'), b = actor_start_in('b');
	struct actor c = actor_start();

	CHECK(dev_info(fd).features & UMIG_FEATURE_GROUPS, "no such feature");
	CHECK(dev_stat(fd).group_members == 4, "%llu members",
	      (unsigned long long)dev_stat(fd).group_members);
	share(fd, &a1, &a2, SEED);
	expect_held(&a3, SEED, PAGES, "the group");
	expect_held(&b, SEED, 0, "another group");
	expect_held(&c, SEED, 0, "the common group");
	CHECK(dev_stat(fd).confirm_other_group == 2 * PAGES, "counted %llu",
	      (unsigned long long)dev_stat(fd).confirm_other_group);
	CHECK(dev_stat(fd).confirm_held == PAGES, "counted as held: %llu",
	      (unsigned long long)dev_stat(fd).confirm_held);
	CHECK(dev_stat(fd).leases == 0, "leases left");
	actor_kill(&a1);
	actor_kill(&a2);
	actor_kill(&a3);
	actor_kill(&b);
	actor_kill(&c);
	close(fd);
}

static void expect_sharers(struct actor *a, uint64_t first, int want,
			   const char *who)
{
	int sharers = actor_sharers(a, first, PAGES);

	CHECK(sharers == want, "read(2) tells %s of %d sharers, should be %d",
	      who, sharers, want);
}

/* Who shares a page with the group is the group's affair alone. */
static void test_sharers(void)
{
	int fd = set_up();
	struct actor a1 = actor_start_in('a'), a2 = actor_start_in('a');
	struct actor b = actor_start_in('b'), c = actor_start();

	CHECK(!actor_map(&a1, SEED, PAGES) && !actor_map(&a2, SEED, PAGES) &&
	      !actor_map(&b, SEED, PAGES) && !actor_map(&c, SEED, PAGES) &&
	      !actor_merged(&a1) && !actor_merged(&a2) &&
	      !actor_merged(&b) && !actor_merged(&c), "not merged");
	ksm_write("run", 0);
	CHECK(dev_settle(fd), "not settled");
	expect_sharers(&a1, SEED, 2 * PAGES, "a group of two");
	expect_sharers(&b, SEED, PAGES, "a group of one");
	expect_sharers(&c, SEED, PAGES, "the common group");
	actor_kill(&a1);
	actor_kill(&a2);
	actor_kill(&b);
	actor_kill(&c);
	close(fd);
}

/* Without groups read(2) counts as the page tables do. */
static void test_sharers_without_groups(void)
{
	int fd = set_up();
	struct actor c1 = actor_start(), c2 = actor_start();

	share(fd, &c1, &c2, SEED);
	expect_sharers(&c1, SEED, 2 * PAGES, "the common group");
	CHECK(!actor_fork(&c1), "no child");
	expect_sharers(&c2, SEED, 3 * PAGES, "the common group, after fork");
	actor_kill(&c1);
	actor_kill(&c2);
	close(fd);
}

static void test_common_pages(void)
{
	int fd = set_up();
	struct actor a = actor_start_in('a'), b = actor_start_in('b');
	struct actor c1 = actor_start(), c2 = actor_start_in(COMMON);

	share(fd, &c1, &c2, SEED);
	expect_held(&c1, SEED, PAGES, "the common group");
	expect_held(&c2, SEED, PAGES, "one that joined the common group");
	expect_held(&a, SEED, 0, "a group");

	share(fd, &a, &b, 2 * SEED);
	expect_held(&a, 2 * SEED, PAGES, "one of both groups that share");
	expect_held(&b, 2 * SEED, PAGES, "the other");
	expect_held(&c1, 2 * SEED, 0, "the common group");
	actor_kill(&a);
	actor_kill(&b);
	actor_kill(&c1);
	actor_kill(&c2);
	close(fd);
}

static void test_mixed_pages(void)
{
	int fd = set_up();
	struct actor a = actor_start_in('a'), b = actor_start_in('b');
	struct actor c = actor_start();

	share(fd, &a, &c, SEED);
	expect_held(&a, SEED, PAGES, "the group that shares");
	expect_held(&c, SEED, PAGES, "the common group, which shares");
	expect_held(&b, SEED, 0, "a group that doesn't");
	/* The common group's process goes, and KSM notices. */
	actor_unmap(&c);
	let_ksm_pass(fd);
	expect_held(&a, SEED, PAGES, "the group that shares still");
	expect_held(&c, SEED, 0, "the common group, which doesn't any more");
	actor_kill(&a);
	actor_kill(&b);
	actor_kill(&c);
	close(fd);
}

/* A content with many sharers stands in several pages. */
static void test_chains(void)
{
	struct actor a[3], c;
	int fd = set_up(), i;

	ksm_write("run", 2);
	ksm_write("max_page_sharing", 2);
	c = actor_start();
	for (i = 0; i < 3; i++)
		a[i] = actor_start_in('a');
	share(fd, &a[0], &a[1], SEED);
	share(fd, &a[2], &c, SEED);
	let_ksm_pass(fd);
	CHECK(actor_confirm(&a[0], SEED, PAGES) == PAGES, "not to the group");
	CHECK(actor_confirm(&c, SEED, PAGES) == PAGES,
	      "not to the common group");
	for (i = 0; i < 3; i++)
		actor_kill(&a[i]);
	actor_kill(&c);
	close(fd);
}

static void test_join_rules(void)
{
	int fd = set_up();
	struct actor a = actor_start_in('a'), other = actor_start_in('a');
	struct actor c = actor_start_in(COMMON);

	CHECK(actor_join(&a, 'a') == 0, "the same group again");
	CHECK(actor_join(&a, 'b') == -EBUSY, "another group");
	CHECK(actor_join(&a, COMMON) == -EBUSY, "back to the common group");
	CHECK(actor_join_other_file(&a, 'a') == 0, "another file, same group");
	CHECK(actor_join_other_file(&a, 'b') == -EBUSY,
	      "another file, another group");
	CHECK(actor_join_other_file(&a, COMMON) == -EBUSY,
	      "another file, the common group");
	CHECK(actor_join(&c, 'a') == -EBUSY, "from the common group, by file");
	CHECK(actor_join_other_file(&c, 'a') == 0, "by another file");
	CHECK(dev_stat(fd).group_members == 3, "%llu members",
	      (unsigned long long)dev_stat(fd).group_members);

	share(fd, &a, &other, SEED);
	CHECK(actor_confirm_other_file(&a, SEED, PAGES) == 0,
	      "a file that hasn't joined knows the group's pages");
	actor_kill(&a);
	actor_kill(&other);
	actor_kill(&c);
	close(fd);
}

/* An idle CPU holds on to the mm_struct of whoever it ran last. */
static void visit_all_cpus(void)
{
	cpu_set_t all, one;
	int cpu;

	if (sched_getaffinity(0, sizeof(all), &all))
		return;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
	sched_setaffinity(0, sizeof(all), &all);
}

static bool no_members(void *arg)
{
	visit_all_cpus();
	return dev_stat(*(int *)arg).group_members == 0;
}

static void test_close(void)
{
	int fd = set_up();
	struct actor a1 = actor_start_in('a'), a2 = actor_start_in('a');
	struct actor c = actor_start();

	share(fd, &a1, &a2, SEED);
	actor_close(&a1);
	actor_close(&a2);
	poll(NULL, 0, 2500);
	CHECK(dev_stat(fd).group_members == 2, "%llu members after close",
	      (unsigned long long)dev_stat(fd).group_members);
	expect_held(&c, SEED, 0, "the common group, after close");
	actor_kill(&a1);
	actor_kill(&a2);
	let_ksm_pass(fd);
	CHECK(wait_until(no_members, &fd, 20000), "%llu members after death",
	      (unsigned long long)dev_stat(fd).group_members);
	actor_kill(&c);
	close(fd);
}

/* Leases keep the pages of dead processes, and KSM their list entries. */
static void test_death(void)
{
	int fd = set_up();
	struct actor a1 = actor_start_in('a'), a2 = actor_start_in('a');
	struct actor a3 = actor_start_in('a'), c = actor_start();

	share(fd, &a1, &a2, SEED);
	CHECK(actor_confirm_keep(&a3, SEED, PAGES) == PAGES, "not held");
	actor_kill(&a1);
	actor_kill(&a2);
	poll(NULL, 0, 2500);
	CHECK(dev_stat(fd).group_members == 3,
	      "%llu members, while KSM remembers them",
	      (unsigned long long)dev_stat(fd).group_members);
	CHECK(actor_confirm(&c, SEED, PAGES) == 0,
	      "confirmed to the common group after the group's death");
	let_ksm_pass(fd);
	CHECK(actor_confirm(&c, SEED, PAGES) == 0,
	      "confirmed to the common group after KSM came by");
	actor_kill(&a3);
	let_ksm_pass(fd);
	CHECK(wait_until(no_members, &fd, 20000), "%llu members left",
	      (unsigned long long)dev_stat(fd).group_members);
	actor_kill(&c);
	close(fd);
}

static void test_fork(void)
{
	int fd = set_up();
	struct actor a1 = actor_start_in('a'), a2 = actor_start_in('a');
	struct actor c = actor_start();

	share(fd, &a1, &a2, SEED);
	REQUIRE(!actor_fork(&a1), "fork");
	CHECK(dev_stat(fd).group_members == 2, "the child is a member");
	expect_held(&c, SEED, 0, "the common group, before KSM knows");
	let_ksm_pass(fd);
	expect_held(&c, SEED, PAGES, "the common group, as the child's");
	expect_held(&a2, SEED, PAGES, "the group");
	actor_kill(&a1);
	actor_kill(&a2);
	actor_kill(&c);
	close(fd);
}

static void test_unmerge_meanwhile(void)
{
	int fd = set_up(), i, held, got = 0;
	struct actor a1 = actor_start_in('a'), a2 = actor_start_in('a');
	struct actor c = actor_start();

	share(fd, &a1, &a2, SEED);
	for (i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			ksm_try_write("run", 2);
			ksm_try_write("run", 1);
			_exit(0);
		}
		held = actor_confirm(&a1, SEED, PAGES);
		CHECK(held >= 0, "CONFIRM: %s", strerror(-held));
		got += held;
		held = actor_confirm(&c, SEED, PAGES);
		CHECK(!held, "%d confirmed to the common group", held);
		waitpid(pid, NULL, 0);
	}
	CHECK(got, "nothing was confirmed ever");
	actor_kill(&a1);
	actor_kill(&a2);
	actor_kill(&c);
	close(fd);
}

/* The contents of a group's own processes. */
static uint64_t seeds_of(char name)
{
	return SEED + (name - 'a') * 10000;
}

#define CAST 6

static void respawn(struct actor *a, unsigned int i)
{
	char name = 'a' + i % 2;

	if (a->pid)
		actor_kill(a);
	*a = actor_start_in(name);
	actor_map(a, seeds_of(name), PAGES);
}

static void test_churn(void)
{
	struct actor cast[CAST] = {}, asker[3];
	unsigned long ours = 0, rounds = 0;
	int fd = set_up(), held, i, of;
	uint64_t end;

	asker[0] = actor_start_in('a');
	asker[1] = actor_start_in('b');
	asker[2] = actor_start();
	for (i = 0; i < CAST; i++)
		respawn(&cast[i], i);
	for (end = now_ms() + seconds * 1000; now_ms() < end; rounds++) {
		i = rand() % CAST;
		respawn(&cast[i], i);
		for (i = 0; i < 3; i++) {
			of = rand() % 2;
			held = actor_confirm(&asker[i], seeds_of('a' + of),
					     PAGES);
			CHECK(held >= 0, "CONFIRM: %s", strerror(-held));
			if (i == of)
				ours += held;
			else
				CHECK(held == 0, "%d of group %c to asker %d",
				      held, 'a' + of, i);
		}
		poll(NULL, 0, rand() % 100);
	}
	CHECK(ours, "nothing was confirmed ever");
	diag("%lu rounds, %lu pages confirmed to their group, %llu refused, %llu passed over locked",
	     rounds, ours,
	     (unsigned long long)dev_stat(fd).confirm_other_group,
	     (unsigned long long)dev_stat(fd).confirm_busy);
	CHECK(dev_stat(fd).lease_mismatch == 0, "a mismatch");
	for (i = 0; i < CAST; i++)
		actor_kill(&cast[i]);
	for (i = 0; i < 3; i++)
		actor_kill(&asker[i]);
	ksm_write("run", 2);
	ksm_write("run", 1);
	CHECK(wait_until(no_members, &fd, 20000), "%llu members left",
	      (unsigned long long)dev_stat(fd).group_members);
	close(fd);
}

static long mm_structs(void)
{
	char line[256];
	long n = -1;
	FILE *f = fopen("/proc/slabinfo", "r");

	if (!f)
		return -1;
	while (n < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "mm_struct %ld", &n);
	fclose(f);
	return n;
}

#define SHORT_LIVES 1000

static void test_no_leak(void)
{
	int fd = set_up(), i;
	long before, after;
	struct actor a;

	before = mm_structs();
	for (i = 0; i < SHORT_LIVES; i++) {
		a = actor_start_in('a' + i % 3);
		actor_kill(&a);
	}
	CHECK(wait_until(no_members, &fd, 20000), "%llu members left",
	      (unsigned long long)dev_stat(fd).group_members);
	after = mm_structs();
	diag("mm_struct: %ld, %ld after %d members", before, after,
	     SHORT_LIVES);
	if (before < 0)
		test_skip("/proc/slabinfo doesn't tell");
	else if (!access("/sys/kernel/debug/kmemleak", F_OK))
		test_skip("kmemleak tells more; with KASAN, slabs keep what was freed");
	else
		CHECK(after < before + SHORT_LIVES / 4, "mm_structs leak");
	close(fd);
}

/* Nobody's counters tell what CONFIRM doesn't. */
static void test_counters(void)
{
	int fd = set_up(), status;
	struct actor a1 = actor_start_in('a'), a2 = actor_start_in('a');
	struct actor c = actor_start();
	pid_t pid;

	share(fd, &a1, &a2, SEED);
	actor_confirm(&c, SEED, PAGES);
	CHECK(dev_stat(fd).confirm_other_group == PAGES, "root isn't told");
	pid = fork();
	if (pid == 0) {
		if (setgid(65534) || setuid(65534))
			_exit(2);
		_exit(dev_stat(fd).confirm_other_group != 0);
	}
	waitpid(pid, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	      "others are: status %x", status);
	CHECK(dev_stat(fd).lease_rehashed == 0, "others' pages were hashed");
	actor_kill(&a1);
	actor_kill(&a2);
	actor_kill(&c);
	close(fd);
}

static void test_unload(void)
{
	int fd = set_up(), err;
	struct actor a = actor_start_in('a'), b = actor_start_in('b');

	share(fd, &a, &b, SEED);
	close(fd);
	actor_close(&a);
	err = module_unload();
	CHECK(err == -EWOULDBLOCK || err == -EBUSY,
	      "unloading while a member has its file: %s", strerror(-err));
	actor_close(&b);
	err = module_unload();
	CHECK(!err, "unloading with members alive: %s", strerror(-err));
	actor_kill(&a);
	actor_kill(&b);
	CHECK(!module_load(""), "not loaded again");
}

static void test_members_limit(void)
{
	int fd = set_up();
	struct actor a = actor_start(), b = actor_start();

	module_param("members_total", 1);
	CHECK(actor_join(&a, 'a') == 0, "the first can't join");
	CHECK(actor_join(&b, 'b') == -ENOSPC, "one too many joins");
	CHECK(actor_join(&a, 'a') == 0, "the same again");
	CHECK(actor_join(&b, COMMON) == 0, "the common group counts");
	CHECK(dev_stat(fd).group_members == 1, "%llu members",
	      (unsigned long long)dev_stat(fd).group_members);
	actor_kill(&a);
	actor_kill(&b);
	close(fd);
}

static const struct test_case cases[] = {
	{ "a group's pages are told to the group alone", test_apart },
	{ "pages of the common group, and of two groups", test_common_pages },
	{ "sharers of other groups aren't counted", test_sharers },
	{ "without groups all sharers are", test_sharers_without_groups },
	{ "pages of a group and of the common one", test_mixed_pages },
	{ "a content in several pages", test_chains },
	{ "who may join what", test_join_rules },
	{ "how many may join", test_members_limit },
	{ "closing files tells nothing", test_close },
	{ "a group's death tells nothing", test_death },
	{ "a child is of the common group", test_fork },
	{ "KSM un-merges meanwhile", test_unmerge_meanwhile },
	{ "processes come and go", test_churn },
	{ "no mm_struct leaks", test_no_leak },
	{ "counters tell nothing", test_counters },
	{ "unloading with members", test_unload },
};

int main(int argc, char **argv)
{
	int err;

	if (sodium_init() < 0)
		bail("libsodium");
	module_reload("");
	if (argc > 1)
		seconds = atoi(argv[1]);
	err = test_main(cases, ARRAY_SIZE(cases));
	ksm_reset();
	return err;
}
