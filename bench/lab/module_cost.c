// SPDX-License-Identifier: GPL-2.0
/*
 * What a page costs in the module's ioctls: run inside a lab host by
 * module_cost.py.  Under emulation a microsecond is no microsecond: so beside
 * them it tells what copying a page, by an application's means and by a kernel's,
 * and digesting it take there.
 *
 * Prints one line of JSON: microseconds a page, the least of several rounds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dev.h"
#include "harness.h"
#include "ksm.h"

#define PAGES 4096
#define BATCH 512
#define ROUNDS 8
#define SEED 7000000

static struct region region;
static digest_t digests[PAGES];
static uint8_t classes[PAGES];
static uint32_t leases[PAGES];
static struct umig_fill_item items[PAGES];
static char *into;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void range_batch(int fd, unsigned int at)
{
	int ret = dev_range(fd, region.base + (size_t)at * PAGE, BATCH,
			    classes + at, digests + at);

	if (ret < 0)
		bail("RANGE: %s", strerror(-ret));
}

static void confirm_batch(int fd, unsigned int at)
{
	uint32_t held;
	int ret = dev_confirm(fd, digests + at, BATCH, leases + at, &held);

	if (ret || held != BATCH)
		bail("CONFIRM: %s, %u of %u held", strerror(-ret), held, BATCH);
}

static void fill_batch(int fd, unsigned int at)
{
	uint32_t filled;
	int ret = dev_fill(fd, items + at, BATCH, &filled);

	if (ret || filled != BATCH)
		bail("FILL: %s, %u of %u filled", strerror(-ret), filled,
		     BATCH);
}

static void copy_batch(int fd, unsigned int at)
{
	(void)fd;
	memcpy(into + (size_t)at * PAGE, region.base + (size_t)at * PAGE,
	       BATCH * PAGE);
}

/* As a kernel copies, which an emulator does byte by byte. */
static void movsb_batch(int fd, unsigned int at)
{
	const char *from = region.base + (size_t)at * PAGE;
	char *to = into + (size_t)at * PAGE;
	size_t n = BATCH * PAGE;

	(void)fd;
	__asm__ volatile("rep movsb"
			 : "+S"(from), "+D"(to), "+c"(n) : : "memory");
}

static void digest_batch(int fd, unsigned int at)
{
	unsigned int i;

	(void)fd;
	for (i = at; i < at + BATCH; i++)
		digest_of_page(region.base + (size_t)i * PAGE, digests[i]);
}

static double round_us(void (*batch)(int fd, unsigned int at), int fd)
{
	double began = now_us();
	unsigned int at;

	for (at = 0; at < PAGES; at += BATCH)
		batch(fd, at);
	return (now_us() - began) / PAGES;
}

static double least(double a, double b)
{
	return b > 0 && b < a ? b : a;
}

static void prepare_fill(void)
{
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		items[i] = (struct umig_fill_item){
			.addr = (uintptr_t)into + (size_t)i * PAGE,
			.lease = leases[i],
		};
}

static void check(void)
{
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		if (classes[i] != UMIG_PAGE_MERGED)
			bail("page %u is not merged: class %u", i, classes[i]);
	if (memcmp(into, region.base, (size_t)PAGES * PAGE))
		bail("a filled page is wrong");
}

int main(void)
{
	double range = 0, confirm = 0, fill = 0, copy = 0, digest = 0;
	double movsb = 0;
	uint32_t released;
	int i, fd;

	ksm_reset();
	fd = dev_fresh("");
	ksm_run();
	region_map(&region, PAGES, PAGES / 2, SEED);
	if (!region_wait_merged(&region))
		bail("KSM doesn't merge");
	ksm_write("run", 0);
	into = aligned_alloc(PAGE, (size_t)PAGES * PAGE);
	if (!into || !dev_settle(fd))
		bail("no memory, or the index doesn't settle");
	memset(into, 1, (size_t)PAGES * PAGE);
	for (i = 0; i < ROUNDS; i++) {
		range = least(round_us(range_batch, fd), range);
		confirm = least(round_us(confirm_batch, fd), confirm);
		prepare_fill();
		fill = least(round_us(fill_batch, fd), fill);
		check();
		if (dev_release_all(fd, &released) || released != PAGES)
			bail("RELEASE: %u of %u", released, PAGES);
		copy = least(round_us(copy_batch, fd), copy);
		movsb = least(round_us(movsb_batch, fd), movsb);
		digest = least(round_us(digest_batch, fd), digest);
	}
	printf("{\"pages\": %d, \"range_us\": %.3f, \"confirm_us\": %.3f, \"fill_us\": %.3f, \"memcpy_us\": %.3f, \"movsb_us\": %.3f, \"digest_us\": %.3f}\n",
	       PAGES, range, confirm, fill, copy, movsb, digest);
	return 0;
}
