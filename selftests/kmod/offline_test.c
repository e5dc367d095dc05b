// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that goes offline: leases don't hold it up, but keep their content in
 * copies; what is merged there is migrated, and known where it has gone.
 */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dev.h"
#include "harness.h"
#include "ksm.h"
#include "memblock.h"

#define PAGES 2048
#define CONTENTS 900
#define SEED 800000
#define SECONDS_AT_MOST 5
/* The machine may have stood still for a while in the first. */
#define TRIES 3
#define UNPLUG_MS 60000
/* ksmd, let go for a page at a time, may have come to know so many. */
#define ADOPTED 8

static uint32_t leases[CONTENTS];

static size_t pages_in_block(const struct region *r, unsigned long block)
{
	size_t i, n = 0;

	for (i = 0; i < r->pages; i++)
		n += memblock_of(r->base + i * PAGE) == block;
	return n;
}

static size_t wrong_leases(int fd)
{
	char page[PAGE] __attribute__((aligned(PAGE)));
	char want[PAGE];
	size_t i, wrong = 0;

	for (i = 0; i < CONTENTS; i++) {
		fill_page(want, SEED + i);
		wrong += dev_fill_page(fd, leases[i], page) ||
			 memcmp(page, want, PAGE);
	}
	return wrong;
}

static void lease_all(int fd)
{
	digest_t d[CONTENTS];
	uint32_t n;
	size_t i;

	for (i = 0; i < CONTENTS; i++)
		digest_of_seed(SEED + i, d[i]);
	CHECK(!dev_confirm(fd, d, CONTENTS, leases, &n) && n == CONTENTS,
	      "%u of %u held", n, CONTENTS);
}

static void check_all_known(int fd, const struct region *r)
{
	static uint8_t classes[PAGES];
	static digest_t digests[PAGES];
	size_t i, n = 0;
	digest_t want;

	REQUIRE(dev_settle(fd), "not settled");
	REQUIRE(!dev_range(fd, r->base, PAGES, classes, digests), "RANGE");
	for (i = 0; i < PAGES; i++) {
		digest_of_seed(r->seeds[i], want);
		n += classes[i] == UMIG_PAGE_MERGED &&
		     !memcmp(digests[i], want, DIGEST);
	}
	CHECK(n == PAGES, "%zu of %u pages known", n, PAGES);
}

static void go_offline(int fd, struct region *r, unsigned long block,
		       uint64_t *ms)
{
	struct umig_stat before = dev_stat(fd), after;
	size_t there = pages_in_block(r, block), changed;
	int err;

	REQUIRE(there > 0, "no page is in block %lu", block);
	diag("%zu pages are in block %lu", there, block);
	err = memblock_offline(block, ms);
	REQUIRE(!err, "memory with leases can't go offline: %s",
		strerror(-err));
	after = dev_stat(fd);
	CHECK(after.lease_converted > 0, "no lease was converted");
	CHECK(after.leases == CONTENTS, "%llu leases left",
	      (unsigned long long)after.leases);
	CHECK(after.hook_moves > before.hook_moves, "no page was migrated");
	CHECK(pages_in_block(r, block) == 0, "pages are still there");
	changed = wrong_leases(fd);
	diag("offline: leases=%llu changed=%zu seconds=%.3f",
	     (unsigned long long)after.leases, changed, *ms / 1000.0);
	CHECK(!changed, "%zu leases wrong", changed);
	check_all_known(fd, r);
	CHECK(!memblock_state(block, "online_movable"), "not online again");
	CHECK(!wrong_leases(fd), "%zu leases wrong when online again",
	      wrong_leases(fd));
}

/**
 * struct scene - Merged pages in a block that can go, and leases of them.
 * @fd: the device.
 * @block: the block.
 * @fill: what uses up the memory before it.
 * @r: the pages.
 */
struct scene {
	int fd;
	unsigned long block;
	char *fill;
	struct region r;
};

static void let_go(struct scene *s)
{
	region_unmap(&s->r);
	munmap(s->fill, MEMBLOCK_FILL);
}

/* Pages may come from memory that somebody else has freed just then. */
static bool get_into_block(struct scene *s)
{
	int i;

	for (i = 0; i < TRIES; i++) {
		s->fill = memblock_fill_up_to(s->block);
		if (!CHECK(s->fill, "can't get at the memory of block %ld",
			   s->block))
			return false;
		region_map(&s->r, PAGES, CONTENTS, SEED);
		if (pages_in_block(&s->r, s->block) > PAGES / 2)
			return true;
		let_go(s);
	}
	return CHECK(false, "pages don't get into block %lu", s->block);
}

static bool set_up_in(struct scene *s, unsigned long block,
		      const char *params)
{
	ksm_reset();
	s->block = block;
	s->fd = dev_fresh(params);
	if (!get_into_block(s))
		return false;
	ksm_run();
	CHECK(region_wait_merged(&s->r), "KSM doesn't merge");
	ksm_write("run", 0);
	CHECK(dev_settle(s->fd), "not settled");
	lease_all(s->fd);
	return true;
}

static bool set_up(struct scene *s, const char *params)
{
	long block = memblock_find();

	if (block < 0) {
		test_skip("no memory can go offline: boot with movablecore=");
		return false;
	}
	return set_up_in(s, block, params);
}

static void tear_down(struct scene *s)
{
	let_go(s);
	if (s->fd >= 0)
		close(s->fd);
}

static void test_offline(void)
{
	uint64_t limit_ms = SECONDS_AT_MOST * 1000 * slowness();
	uint64_t ms = UINT64_MAX;
	struct scene s;
	int i;

	for (i = 0; i < TRIES && ms >= limit_ms; i++) {
		if (!set_up(&s, ""))
			return;
		go_offline(s.fd, &s.r, s.block, &ms);
		tear_down(&s);
	}
	CHECK(ms < limit_ms, "it took %llu ms", (unsigned long long)ms);
}

/* Leased pages become pages of @t too, and KSM won't come by soon. */
static void share_all(int fd, struct region *t)
{
	static struct umig_fill_item items[CONTENTS];
	uint32_t filled, shared;
	size_t i;

	ksm_write("pages_to_scan", 1);
	ksm_write("sleep_millisecs", 10000);
	ksm_write("run", 1);
	region_map(t, CONTENTS, CONTENTS, 2 * SEED);
	for (i = 0; i < CONTENTS; i++) {
		items[i].addr = (uintptr_t)t->base + i * PAGE;
		items[i].lease = leases[i];
		t->seeds[i] = SEED + i;
	}
	CHECK(!dev_share(fd, items, CONTENTS, &filled, &shared) &&
	      filled == CONTENTS && shared > CONTENTS * 9 / 10,
	      "%u filled, %u shared", filled, shared);
}

static void must_go(const struct scene *s)
{
	uint64_t ms;
	int err;

	CHECK(pages_in_block(&s->r, s->block) > 0, "no page is in block %lu",
	      s->block);
	err = memblock_offline(s->block, &ms);
	CHECK(!err, "memory with shared pages can't go offline: %s",
	      strerror(-err));
	diag("offline after %llu ms", (unsigned long long)ms);
	CHECK(!pages_in_block(&s->r, s->block), "pages are still there");
	CHECK(region_intact(&s->r), "another content");
	CHECK(!memblock_state(s->block, "online_movable"), "not online again");
}

/* A process with the caller's memory, that looks at it when it is told to. */
static pid_t witness_start(const struct region *t, int *tell)
{
	int ends[2];
	pid_t pid;
	char c;

	if (pipe(ends))
		bail("pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		bail("fork: %s", strerror(errno));
	if (pid == 0) {
		close(ends[1]);
		if (read(ends[0], &c, 1) != 0)
			_exit(2);
		_exit(!region_intact(t));
	}
	close(ends[0]);
	*tell = ends[1];
	return pid;
}

static void witness_is_right(pid_t pid, int tell)
{
	int status;

	close(tell);
	waitpid(pid, &status, 0);
	CHECK(!status, "another content in a child");
}

static void test_shared(void)
{
	struct region t;
	struct scene s;
	pid_t witness;
	int tell;

	if (!set_up(&s, "share=1"))
		return;
	share_all(s.fd, &t);
	witness = witness_start(&t, &tell);
	must_go(&s);
	CHECK(region_intact(&t), "another content");
	witness_is_right(witness, tell);
	region_unmap(&t);
	tear_down(&s);
}

/* Shares, forks, and dies; the child lives on. */
static void leave_orphan(int fd, int tell, int told)
{
	struct region t;
	char c;

	share_all(fd, &t);
	if (fork())
		_exit(0);
	close(fd);
	if (write(told, "s", 1) != 1 || read(tell, &c, 1) != 0)
		_exit(2);
	c = region_intact(&t) ? 'y' : 'n';
	_exit(write(told, &c, 1) != 1);
}

static void test_orphan(void)
{
	int tell[2], told[2];
	struct scene s;
	pid_t pid;
	char c = 0;

	if (!set_up(&s, "share=1"))
		return;
	if (pipe(tell) || pipe(told))
		bail("pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		bail("fork: %s", strerror(errno));
	if (pid == 0) {
		close(tell[1]);
		leave_orphan(s.fd, tell[0], told[1]);
	}
	close(told[1]);
	waitpid(pid, NULL, 0);
	CHECK(read(told[0], &c, 1) == 1 && c == 's', "nothing was shared");
	must_go(&s);
	close(tell[1]);
	CHECK(read(told[0], &c, 1) == 1 && c == 'y', "another content");
	close(tell[0]);
	close(told[0]);
	tear_down(&s);
}

static void test_unloaded(void)
{
	struct region t;
	struct scene s;
	pid_t witness;
	int tell, err;

	if (!set_up(&s, "share=1"))
		return;
	share_all(s.fd, &t);
	close(s.fd);
	s.fd = -1;
	err = module_unload();
	CHECK(!err, "can't be unloaded: %s", strerror(-err));
	CHECK(region_intact(&t), "another content without the module");
	CHECK(walk_count(t.base, CONTENTS) <= ADOPTED,
	      "%zu pages are still shared", walk_count(t.base, CONTENTS));
	witness = witness_start(&t, &tell);
	must_go(&s);
	CHECK(region_intact(&t), "another content");
	witness_is_right(witness, tell);
	region_unmap(&t);
	tear_down(&s);
}

static const struct test_case cases[] = {
	{ "leases don't block memory offlining", test_offline },
	{ "nor do shared pages that KSM doesn't know", test_shared },
	{ "nor when who has shared them has left a child", test_orphan },
	{ "nor when the module is gone", test_unloaded },
};

/* Where the first memory comes that is plugged in. */
#define PLUGGED_AT (4ull << 30)
#define AUTO_ONLINE "/sys/devices/system/memory/auto_online_blocks"

static bool came_online(void *arg)
{
	return !memblock_state(*(unsigned long *)arg, "online_movable");
}

static bool is_unplugged(void *arg)
{
	return memblock_state(*(unsigned long *)arg, "online") == -ENOENT;
}

static void check_unplugged(struct scene *s)
{
	struct umig_stat stat;

	CHECK(wait_until(is_unplugged, &s->block, UNPLUG_MS),
	      "memory with leases and shared pages isn't let go");
	stat = dev_stat(s->fd);
	CHECK(stat.lease_converted > 0 && stat.leases == CONTENTS,
	      "%llu leases, %llu converted", (unsigned long long)stat.leases,
	      (unsigned long long)stat.lease_converted);
	CHECK(!wrong_leases(s->fd), "%zu leases wrong", wrong_leases(s->fd));
	CHECK(region_intact(&s->r), "another content");
	check_all_known(s->fd, &s->r);
}

/* The lab, which reads this, plugs and unplugs. */
static void test_unplug(void)
{
	unsigned long block = memblock_at(PLUGGED_AT);
	struct region t;
	struct scene s;
	int err;

	/* Debian's 6.12 puts it online itself, and not as movable memory. */
	err = write_file(AUTO_ONLINE, "offline");
	REQUIRE(!err, AUTO_ONLINE ": %s", strerror(-err));
	diag("lab: plug");
	REQUIRE(wait_until(came_online, &block, UNPLUG_MS), "no memory came");
	if (!set_up_in(&s, block, "share=1"))
		return;
	CHECK(pages_in_block(&s.r, block) > 0, "no page is in block %lu",
	      block);
	share_all(s.fd, &t);
	diag("lab: unplug");
	check_unplugged(&s);
	CHECK(region_intact(&t), "another content");
	region_unmap(&t);
	tear_down(&s);
}

static const struct test_case plugged_cases[] = {
	{ "leases and shared pages don't block unplugging", test_unplug },
};

/*
 *	offline_test		memory goes offline
 *	offline_test plugged	memory that the lab plugs in goes for good
 */
int main(int argc, char **argv)
{
	int err;

	(void)argv;
	if (sodium_init() < 0)
		bail("libsodium");
	if (argc > 1)
		err = test_main(plugged_cases, ARRAY_SIZE(plugged_cases));
	else
		err = test_main(cases, ARRAY_SIZE(cases));
	ksm_reset();
	return err;
}
