// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctls' time a page, by turns with what it is compared with: reading the
 * same pages' entries of pagemap for RANGE, copying and comparing pages for the
 * others.  Copies are made by an application's means and, movsb, by a kernel's,
 * which an emulator does byte by byte.
 *
 * RANGE is asked as a migration asks it, 512 pages a call, and so is pagemap.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kmod_perf.h"
#include "measure.h"
#include "selftests/kmod/dev.h"
#include "selftests/kmod/harness.h"
#include "selftests/kmod/ksm.h"

#define SEED 40000
#define BATCH 512
#define ROUNDS 15

/* Merged pages; others; pages next to others, none, and no page table. */
static struct region merged, plain, sparse, absent;
static digest_t asked[CONTENTS];
static uint32_t leases[CONTENTS];
static int dev = -1;
static int pagemap = -1;

/* Results, and what is copied to. */
static struct umig_run runs[BATCH];
static digest_t digests[BATCH];
static uint64_t entries[BATCH];
static struct umig_fill_item items[BATCH];
static char *target;
static struct region shared_into;
static volatile uint64_t sum;

/* The class that all pages have, or 0. */
static uint32_t range_batch(const char *at)
{
	struct umig_range r = {
		.size = sizeof(r),
		.mem_fd = -1,
		.nr_pages = BATCH,
		.addr = (uintptr_t)at,
		.runs = (uintptr_t)runs,
		.digests = (uintptr_t)digests,
		.nr_runs = BATCH,
		.nr_digests = BATCH,
	};
	int err = dev_ioctl(dev, UMIG_IOC_RANGE, &r);

	if (err || r.nr_pages != BATCH)
		bail("RANGE: %s, %u pages", strerror(-err), r.nr_pages);
	return r.nr_runs == 1 ? runs[0].class : 0;
}

static void range_of(void *arg)
{
	const struct region *r = arg;
	size_t i;

	for (i = 0; i < PAGES; i += BATCH)
		range_batch(r->base + i * PAGE);
}

static void read_entries(const char *base, size_t nr)
{
	ssize_t len = nr * sizeof(*entries);

	if (pread(pagemap, entries, len,
		  (uintptr_t)base / PAGE * sizeof(*entries)) != len)
		bail("pagemap: %s", strerror(errno));
}

static void pagemap_of(void *arg)
{
	const struct region *r = arg;
	size_t i;

	for (i = 0; i < PAGES; i += BATCH)
		read_entries(r->base + i * PAGE, BATCH);
}

/* An entry at a time, as a walk of single pages does. */
static void pagemap_singly(void *arg)
{
	const struct region *r = arg;
	size_t i;

	for (i = 0; i < PAGES; i++)
		read_entries(r->base + i * PAGE, 1);
}

static void confirm_all(void *arg)
{
	uint32_t held, i;

	(void)arg;
	for (i = 0; i < CONTENTS; i += BATCH)
		if (dev_confirm(dev, asked + i, BATCH, leases + i, &held) ||
		    held != BATCH)
			bail("CONFIRM: %u held", held);
}

static void name_items(const char *into, uint32_t from)
{
	uint32_t k;

	for (k = 0; k < BATCH; k++)
		items[k] = (struct umig_fill_item){
			.addr = (uintptr_t)into + (size_t)(from + k) * PAGE,
			.lease = leases[from + k],
		};
}

static void fill_all(void *arg)
{
	uint32_t filled, i;

	(void)arg;
	for (i = 0; i < CONTENTS; i += BATCH) {
		name_items(target, i);
		if (dev_fill(dev, items, BATCH, &filled) || filled != BATCH)
			bail("FILL: %u filled", filled);
	}
}

/* Private pages, mergeable ones, which SHARE replaces. */
static void before_share(void)
{
	if (shared_into.base)
		region_unmap(&shared_into);
	region_map(&shared_into, CONTENTS, CONTENTS, SEED + 10 * PAGES);
}

static void share_all(void *arg)
{
	uint32_t filled, shared, i;

	(void)arg;
	for (i = 0; i < CONTENTS; i += BATCH) {
		name_items(shared_into.base, i);
		if (dev_share(dev, items, BATCH, &filled, &shared) ||
		    filled != BATCH || !shared)
			bail("SHARE: %u filled, %u shared", filled, shared);
	}
}

static void release_all(void *arg)
{
	uint32_t nr;

	(void)arg;
	if (dev_release_all(dev, &nr) || nr != CONTENTS)
		bail("RELEASE: %u released", nr);
}

static void copy_all(void *arg)
{
	(void)arg;
	memcpy(target, merged.base, (size_t)CONTENTS * PAGE);
}

static void movsb_all(void *arg)
{
	const char *from = merged.base;
	char *to = target;
	size_t n = (size_t)CONTENTS * PAGE;

	(void)arg;
	__asm__ volatile("rep movsb"
			 : "+S"(from), "+D"(to), "+c"(n) : : "memory");
}

/* The second half of the region has the first's contents. */
static void compare_all(void *arg)
{
	(void)arg;
	if (memcmp(merged.base, merged.base + (size_t)CONTENTS * PAGE,
		   (size_t)CONTENTS * PAGE))
		bail("a merged page is wrong");
}

static void digest_all(void *arg)
{
	digest_t digest;
	size_t i;

	(void)arg;
	for (i = 0; i < CONTENTS; i++) {
		digest_of_page(merged.base + i * PAGE, digest);
		sum += digest[0];
	}
}

/**
 * struct call - Something that is measured.
 * @name: in the results, with "_ns" behind it.
 * @run: does it once.
 * @region: its argument.
 * @pages: that it is done for.
 * @before: what isn't counted, or NULL.
 */
static struct call {
	const char *name;
	void (*run)(void *region);
	struct region *region;
	unsigned int pages;
	void (*before)(void);
	uint64_t sample_ns[ROUNDS];
} calls[] = {
	{ "range", range_of, &merged, PAGES },
	{ "pagemap", pagemap_of, &merged, PAGES },
	{ "range_plain", range_of, &plain, PAGES },
	{ "pagemap_plain", pagemap_of, &plain, PAGES },
	{ "range_sparse", range_of, &sparse, PAGES },
	{ "pagemap_sparse", pagemap_of, &sparse, PAGES },
	{ "range_absent", range_of, &absent, PAGES },
	{ "pagemap_absent", pagemap_of, &absent, PAGES },
	{ "pagemap_singly", pagemap_singly, &merged, PAGES },
	{ "memcpy", copy_all, NULL, CONTENTS },
	{ "movsb", movsb_all, NULL, CONTENTS },
	{ "memcmp", compare_all, NULL, CONTENTS },
	{ "digest", digest_all, NULL, CONTENTS },
	{ "confirm", confirm_all, NULL, CONTENTS },
	{ "fill", fill_all, NULL, CONTENTS },
	{ "share", share_all, NULL, CONTENTS, before_share },
	{ "release", release_all, NULL, CONTENTS },
};

static uint64_t run_once(struct call *c)
{
	uint64_t start;

	if (c->before)
		c->before();
	start = cpu_ns();
	c->run(c->region);
	return cpu_ns() - start;
}

static void report(struct call *c)
{
	/* median() sorts: the least is the first. */
	double ns = (double)median(c->sample_ns, ROUNDS) / c->pages;

	printf("\"%s_ns\": %.1f, \"%s_least_ns\": %.1f, ", c->name, ns,
	       c->name, (double)c->sample_ns[0] / c->pages);
}

static void measure_calls(void)
{
	unsigned int i, round;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		run_once(&calls[i]);
	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < ARRAY_SIZE(calls); i++)
			calls[i].sample_ns[round] = run_once(&calls[i]);
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		report(&calls[i]);
}

static void *reserve(size_t pages)
{
	void *base = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		bail("no memory: %s", strerror(errno));
	madvise(base, pages * PAGE, MADV_NOHUGEPAGE);
	return base;
}

/* Untouched, but for the page tables of @sparse. */
static void map_absent(struct region *r)
{
	r->base = reserve(PAGES);
	r->pages = PAGES;
}

static void map_sparse(struct region *r)
{
	map_absent(r);
	memset(r->base, 1, (size_t)PAGES * PAGE);
	if (madvise(r->base, (size_t)PAGES * PAGE, MADV_DONTNEED))
		bail("MADV_DONTNEED: %s", strerror(errno));
}

static void expect(const struct region *r, uint32_t class)
{
	size_t i;

	for (i = 0; i < PAGES; i += BATCH)
		if (range_batch(r->base + i * PAGE) != class)
			bail("page %zu to %zu aren't of class %u", i,
			     i + BATCH, class);
}

/* SHARE works only while ksmd does; it is asleep nearly always. */
static void set_up(void)
{
	size_t i;

	target = reserve(CONTENTS);
	memset(target, 1, (size_t)CONTENTS * PAGE);
	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (pagemap < 0)
		bail("pagemap: %s", strerror(errno));
	region_map(&merged, PAGES, CONTENTS, SEED);
	ksm_run();
	if (!region_wait_merged(&merged))
		bail("KSM doesn't merge");
	ksm_write("pages_to_scan", 1);
	ksm_write("sleep_millisecs", 1000000);
	region_map(&plain, PAGES, PAGES, SEED + 3 * PAGES);
	map_absent(&absent);
	map_sparse(&sparse);
	for (i = 0; i < CONTENTS; i++)
		digest_of_seed(SEED + i, asked[i]);
}

static void check(void)
{
	expect(&merged, UMIG_PAGE_MERGED);
	expect(&plain, UMIG_PAGE_PRIVATE);
	expect(&absent, UMIG_PAGE_ABSENT);
	expect(&sparse, UMIG_PAGE_ABSENT);
}

void calls_cost(void)
{
	ksm_reset();
	dev = dev_fresh("share=1 confirm_rate=0");
	set_up();
	if (!dev_settle(dev))
		bail("the index doesn't settle");
	check();
	measure_calls();
	check();
	if (memcmp(target, merged.base, (size_t)CONTENTS * PAGE) ||
	    memcmp(shared_into.base, merged.base, (size_t)CONTENTS * PAGE))
		bail("a filled page is wrong");
	close(dev);
	region_unmap(&merged);
	region_unmap(&plain);
	region_unmap(&absent);
	region_unmap(&sparse);
	region_unmap(&shared_into);
}
