// SPDX-License-Identifier: GPL-2.0
/*
 * Copies of shared pages that KSM doesn't know yet are made for those who may
 * have such pages, all of them, and for nobody else.
 *
 * Three processes.  The owner has every content twice, so that KSM merges it; the
 * sharer has the owner's pages by SHARE, at the same addresses; the heir is the
 * sharer's child.  Nothing relates the owner to the others.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dev.h"
#include "harness.h"
#include "ksm.h"

#define PLACE ((void *)0x300000000000ul)
#define PAGES 256
#define SEED 900000
/* Of the pages of one: ksmd may pass by one or the other. */
#define MOST (PAGES * 9 / 10)
#define FEW 2
#define COPIES_MS 60000

enum who { OWNER, SHARER, HEIR, NR_WHO };

enum order {
	MERGED = 1,	/* how many pages are */
	RIGHT,		/* is all as it should be? */
	SHARE,		/* how many pages are shared after it */
	BEQUEATH,	/* the heir is there after it */
	HOLD,		/* written, and kept from being merged: how many */
	CLOSE,		/* the device */
};

/** struct line - To a process and back. */
struct line {
	int ask[2];
	int answer[2];
};

static struct line lines[NR_WHO];
static pid_t pids[NR_WHO];
static uint32_t leases[PAGES];
static int dev;

/* Each process's own. */
static struct region region;

static int share_all(void)
{
	struct umig_fill_item items[PAGES];
	uint32_t filled, shared;
	size_t i;

	for (i = 0; i < PAGES; i++) {
		items[i].addr = (uintptr_t)region.base + i * PAGE;
		items[i].lease = leases[i];
		region.seeds[i] = SEED + i;
	}
	if (dev_share(dev, items, PAGES, &filled, &shared) || filled != PAGES)
		return -1;
	return shared;
}

/* KSM lets be what somebody has a reference to, here a pipe. */
static int write_and_hold(void)
{
	struct iovec all = { region.base, PAGES * PAGE };
	int ends[2];
	size_t i;

	if (pipe(ends) || fcntl(ends[1], F_SETPIPE_SZ, PAGES * PAGE) < 0)
		return -1;
	for (i = 0; i < PAGES; i++)
		region_write(&region, i, SEED + PAGES + i);
	return vmsplice(ends[1], &all, 1, SPLICE_F_NONBLOCK) / PAGE;
}

static void serve(enum who me);

static int bequeath(void)
{
	pid_t pid = fork();

	if (pid)
		return pid < 0 ? -1 : 0;
	close(dev);
	serve(HEIR);
	_exit(0);
}

static int obey(enum order order)
{
	switch (order) {
	case MERGED:
		return walk_count(region.base, region.pages);
	case RIGHT:
		return region_intact(&region);
	case SHARE:
		return share_all();
	case BEQUEATH:
		return bequeath();
	case HOLD:
		return write_and_hold();
	case CLOSE:
		return close(dev);
	}
	return -1;
}

static void serve(enum who me)
{
	enum order order;
	int answer;

	while (read(lines[me].ask[0], &order, sizeof(order)) == sizeof(order)) {
		answer = obey(order);
		if (write(lines[me].answer[1], &answer, sizeof(answer)) < 0)
			break;
	}
}

static void close_ends(int ask, int answer)
{
	int i;

	for (i = 0; i < NR_WHO; i++) {
		close(lines[i].ask[ask]);
		close(lines[i].answer[answer]);
	}
}

static void start(enum who who, size_t pages, uint64_t first)
{
	pids[who] = fork();
	if (pids[who] < 0)
		bail("fork: %s", strerror(errno));
	if (pids[who])
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_ends(1, 0);
	if (who == OWNER)
		close(dev);
	region_map_at(&region, PLACE, pages, PAGES, first);
	serve(who);
	_exit(0);
}

static void stop(enum who who)
{
	if (!pids[who])
		return;
	kill(pids[who], SIGKILL);
	waitpid(pids[who], NULL, 0);
	pids[who] = 0;
}

static int ask(enum who who, enum order order)
{
	int answer;

	if (write(lines[who].ask[1], &order, sizeof(order)) < 0 ||
	    read(lines[who].answer[0], &answer, sizeof(answer)) !=
	    sizeof(answer))
		bail("process %d doesn't answer order %d", who, order);
	return answer;
}

static bool all_merged(void *arg)
{
	(void)arg;
	return ask(OWNER, MERGED) == 2 * PAGES;
}

static void lease_all(void)
{
	static digest_t d[PAGES];
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < PAGES; i++)
		digest_of_seed(SEED + i, d[i]);
	if (!dev_settle(dev) || dev_confirm(dev, d, PAGES, leases, &n) ||
	    n != PAGES)
		bail("%u of %u contents held", n, PAGES);
}

/* The owner's pages are the sharer's as well; ksmd sleeps. */
static void set_up(void)
{
	int i, shared;

	for (i = 0; i < NR_WHO; i++)
		if (pipe(lines[i].ask) || pipe(lines[i].answer))
			bail("pipe: %s", strerror(errno));
	ksm_reset();
	dev = dev_fresh("share=1");
	ksm_run();
	start(OWNER, 2 * PAGES, SEED);
	if (!wait_until(all_merged, NULL, MERGE_TIMEOUT_MS))
		bail("KSM doesn't merge");
	lease_all();
	ksm_write("pages_to_scan", 1);
	ksm_write("sleep_millisecs", 3600000);
	start(SHARER, PAGES, SEED + PAGES);
	shared = ask(SHARER, SHARE);
	CHECK(shared > MOST, "%d shared", shared);
}

static void tear_down(void)
{
	stop(SHARER);
	stop(OWNER);
	close_ends(0, 1);
	/* The heir sees that nobody will ask any more. */
	close_ends(1, 0);
	if (dev >= 0)
		close(dev);
	ksm_reset();
}

static void check_owner(void)
{
	int merged = ask(OWNER, MERGED);

	CHECK(merged == 2 * PAGES,
	      "%d of %d pages of an unrelated process are left merged",
	      merged, 2 * PAGES);
	CHECK(ask(OWNER, RIGHT), "another content");
}

static bool heir_has_copies(void *arg)
{
	(void)arg;
	return ask(HEIR, MERGED) <= FEW;
}

static void test_dead(void)
{
	set_up();
	ask(SHARER, BEQUEATH);
	CHECK(ask(HEIR, MERGED) > MOST, "nothing is inherited");
	stop(SHARER);
	CHECK(wait_until(heir_has_copies, NULL, COPIES_MS),
	      "no copies for the child of one who has died");
	CHECK(ask(HEIR, RIGHT), "another content");
	check_owner();
	tear_down();
}

static void unload(void)
{
	int err;

	ask(SHARER, CLOSE);
	close(dev);
	dev = -1;
	err = module_unload();
	CHECK(!err, "can't be unloaded: %s", strerror(-err));
}

static void test_unload(void)
{
	set_up();
	unload();
	CHECK(ask(SHARER, MERGED) <= FEW, "%d pages are still shared",
	      ask(SHARER, MERGED));
	CHECK(ask(SHARER, RIGHT), "another content");
	check_owner();
	tear_down();
}

/* What the heir has must be known for ever, whatever the sharer does. */
static void test_shared_again(void)
{
	int n;

	set_up();
	ask(SHARER, BEQUEATH);
	n = ask(SHARER, HOLD);
	CHECK(n == PAGES, "%d pages are in the pipe", n);
	n = ask(SHARER, SHARE);
	CHECK(!n, "%d pages shared that the pipe has", n);
	CHECK(ask(HEIR, MERGED) > MOST, "nothing is inherited");
	unload();
	CHECK(ask(HEIR, MERGED) <= FEW, "%d inherited pages are still shared",
	      ask(HEIR, MERGED));
	CHECK(ask(HEIR, RIGHT), "another content in the child");
	CHECK(ask(SHARER, RIGHT), "another content");
	check_owner();
	tear_down();
}

static const struct test_case cases[] = {
	{ "who has shared pages dies: copies for his child alone", test_dead },
	{ "unloading: copies for who has shared pages alone", test_unload },
	{ "what a child has stays known when pages can't be shared again",
	  test_shared_again },
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
