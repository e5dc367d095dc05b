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
#include <sys/syscall.h>
#include <unistd.h>

#include "dev.h"
#include "harness.h"
#include "ksm.h"

#define PAGES 2048
#define CONTENTS 900
#define SEED 800000
#define BLOCKS 4096
#define FILL_MAX (600ul << 20)
#define MPOL_PREFERRED 1
#define SECONDS_AT_MOST 5
/* The machine may have stood still for a while in the first. */
#define TRIES 3

static uint32_t leases[CONTENTS];

static unsigned long block_of(const void *addr)
{
	static unsigned long bytes;
	FILE *f;

	if (!bytes) {
		f = fopen("/sys/devices/system/memory/block_size_bytes", "r");
		if (!f || fscanf(f, "%lx", &bytes) != 1 || !bytes)
			bail("no memory blocks");
		fclose(f);
	}
	return walk_pfn(addr) * PAGE / bytes;
}

static bool block_is_movable(unsigned long block)
{
	char path[96], zones[64] = "";
	FILE *f;

	snprintf(path, sizeof(path),
		 "/sys/devices/system/memory/memory%lu/valid_zones", block);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(zones, sizeof(zones), f))
		zones[0] = 0;
	fclose(f);
	return strstr(zones, "Movable");
}

static int block_state(unsigned long block, const char *state)
{
	char path[96];

	snprintf(path, sizeof(path),
		 "/sys/devices/system/memory/memory%lu/state", block);
	return write_file(path, state);
}

/* One that can go: some have holes or pages that the kernel has reserved. */
static long find_block(void)
{
	unsigned long block;

	for (block = 0; block < BLOCKS; block++)
		if (block_is_movable(block) &&
		    !block_state(block, "offline") &&
		    !block_state(block, "online_movable"))
			return block;
	return -1;
}

static int block_node(unsigned long block)
{
	char path[96];
	int node;

	for (node = 0; node < 8; node++) {
		snprintf(path, sizeof(path),
			 "/sys/devices/system/memory/memory%lu/node%d", block,
			 node);
		if (!access(path, F_OK))
			return node;
	}
	return 0;
}

/*
 * Use up memory until what comes next is in the block: memory that has just
 * come online is used last.
 */
static char *fill_up_to(unsigned long block)
{
	unsigned long nodes = 1ul << block_node(block);
	char *m;
	size_t i;

	syscall(SYS_set_mempolicy, MPOL_PREFERRED, &nodes,
		8 * sizeof(nodes));
	m = mmap(NULL, FILL_MAX, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m == MAP_FAILED)
		bail("mmap: %s", strerror(errno));
	madvise(m, FILL_MAX, MADV_NOHUGEPAGE);
	for (i = 0; i < FILL_MAX; i += PAGE) {
		m[i] = 1;
		if (block_of(m + i) == block)
			return m;
	}
	munmap(m, FILL_MAX);
	return NULL;
}

static size_t pages_in_block(const struct region *r, unsigned long block)
{
	size_t i, n = 0;

	for (i = 0; i < r->pages; i++)
		n += block_of(r->base + i * PAGE) == block;
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

/* How long it took. */
static void go_offline(int fd, struct region *r, unsigned long block,
		       uint64_t *ms)
{
	struct umig_stat before = dev_stat(fd), after;
	size_t there = pages_in_block(r, block), changed;
	uint64_t start;
	int err;

	REQUIRE(there > 0, "no page is in block %lu", block);
	diag("%zu pages are in block %lu", there, block);
	start = now_ms();
	err = block_state(block, "offline");
	*ms = now_ms() - start;
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
	CHECK(!block_state(block, "online_movable"), "not online again");
	CHECK(!wrong_leases(fd), "%zu leases wrong when online again",
	      wrong_leases(fd));
}

static void try_offline(long block, uint64_t *ms)
{
	char *fill = fill_up_to(block);
	struct region r;
	int fd;

	REQUIRE(fill, "can't get at the memory of block %ld", block);
	fd = dev_fresh("");
	ksm_run();
	region_map(&r, PAGES, CONTENTS, SEED);
	REQUIRE(region_wait_merged(&r), "KSM doesn't merge");
	ksm_write("run", 0);
	REQUIRE(dev_settle(fd), "not settled");
	lease_all(fd);
	go_offline(fd, &r, block, ms);
	region_unmap(&r);
	munmap(fill, FILL_MAX);
	close(fd);
}

static void test_offline(void)
{
	uint64_t ms = UINT64_MAX;
	long block;
	int i;

	ksm_reset();
	block = find_block();
	if (block < 0) {
		test_skip("no memory can go offline: boot with movablecore=");
		return;
	}
	for (i = 0; i < TRIES && ms >= SECONDS_AT_MOST * 1000; i++)
		try_offline(block, &ms);
	CHECK(ms < SECONDS_AT_MOST * 1000, "it took %llu ms",
	      (unsigned long long)ms);
}

static const struct test_case cases[] = {
	{ "leases don't block memory offlining", test_offline },
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
