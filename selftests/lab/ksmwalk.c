// SPDX-License-Identifier: GPL-2.0
/*
 * The reference walk: which pages of processes KSM has merged, and their
 * content, found by means of /proc alone and without any help of the module
 * that it is used to judge.  Where /proc/kpageflags can't be believed, it asks
 * /proc/kcore.
 *
 *	ksmwalk PID [FIRST-END]
 *
 * walks the address range (hexadecimal), or without one all mappings that are
 * mergeable (VmFlags "mg") in order of address, and writes to stdout
 *
 *	"KSMW" | u32 version | u64 pages | pages x struct record
 *
 * little endian.  A page is reported as merged if it was the same KSM page
 * before and after its content was read.
 *
 *	ksmwalk count
 *
 * prints how many pages of the host are KSM's.  After KSM has let go of all
 * (run = 2) and all their users have ended, these are leaked references.
 *
 * The digest only has to tell apart the pages of one test: two 64-bit lanes
 * that multiply and rotate differently, each a bijection of its state for each
 * input word, so that pages that differ in one word never collide and others
 * do so about once in 2^128.  It is no defence against crafted pages.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kmod/kcore.h"

#define VERSION 1
#define PAGE 4096
#define BATCH 512
#define RANGES_MAX 256
#define PM_PRESENT (1ull << 63)
#define PM_PFN ((1ull << 55) - 1)
#define KPF_KSM (1ull << 21)
/*
 * Pages that are never KSM's, where struct page has something else in the place
 * of the mapping: slab, buddy, parts of a folio, huge, offline, page tables.
 */
#define KPF_NEVER (1ull << 7 | 1ull << 10 | 1ull << 15 | 1ull << 16 | \
		   1ull << 17 | 1ull << 22 | 1ull << 23 | 1ull << 26)
/* The low bits of page->mapping. */
#define MAPPING_FLAGS 3ull
#define MAPPING_KSM 3ull

enum {
	PAGE_PRESENT = 1 << 0,
	PAGE_MERGED = 1 << 1,
	PAGE_ZERO = 1 << 2,	/* known for merged pages only */
};

struct record {
	uint64_t flags;
	uint64_t digest[2];	/* merged pages only */
};

struct range {
	uint64_t first;
	uint64_t end;
};

static int pagemap = -1, kpageflags = -1, mem = -1;
/* /proc/kpageflags calls every anonymous page one of KSM, as on 6.12. */
static bool kpageflags_lie;

static void die(const char *what)
{
	fprintf(stderr, "ksmwalk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_proc(const char *pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		die(path);
	return fd;
}

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

/* Returns whether the page is all zero. */
static bool digest_page(const uint64_t *w, uint64_t digest[2])
{
	uint64_t a = 0x243f6a8885a308d3ull, b = 0x13198a2e03707344ull, any = 0;

	for (int i = 0; i < PAGE / 8; i++) {
		any |= w[i];
		a = rotate((a ^ w[i]) * 0x9e3779b97f4a7c15ull, 29);
		b = (rotate(b, 23) + w[i]) * 0xc2b2ae3d27d4eb4full;
	}
	digest[0] = a ^ a >> 32;
	digest[1] = b ^ b >> 32;
	return !any;
}

static bool is_merged(uint64_t pfn, uint64_t flags)
{
	uint64_t mapping;
	int err;

	if (!(flags & KPF_KSM) || !kpageflags_lie)
		return flags & KPF_KSM;
	if (flags & KPF_NEVER)
		return false;
	err = kcore_page_mapping(pfn, &mapping);
	if (err) {
		errno = -err;
		die("/proc/kcore");
	}
	return (mapping & MAPPING_FLAGS) == MAPPING_KSM;
}

static uint64_t page_flags(uint64_t pfn)
{
	uint64_t flags;

	if (pread(kpageflags, &flags, 8, pfn * 8) != 8)
		die("/proc/kpageflags");
	return flags;
}

/* The pfn if @entry is of a KSM page, else 0. */
static uint64_t merged_pfn(uint64_t entry)
{
	uint64_t pfn = entry & PM_PFN;

	if (!(entry & PM_PRESENT) || !pfn)
		return 0;
	return is_merged(pfn, page_flags(pfn)) ? pfn : 0;
}

static uint64_t pagemap_entry(int fd, uint64_t addr)
{
	uint64_t entry;

	if (pread(fd, &entry, 8, addr / PAGE * 8) != 8)
		die("pagemap");
	return entry;
}

/* What is said of a page that KSM never saw? */
static void doubt_kpageflags(void)
{
	int fd = open_proc("self", "pagemap");
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	uint64_t entry;

	if (page == MAP_FAILED)
		die("mmap");
	*page = 1;
	entry = pagemap_entry(fd, (uintptr_t)page);
	kpageflags_lie = page_flags(entry & PM_PFN) & KPF_KSM;
	munmap(page, PAGE);
	close(fd);
}

static void walk_page(uint64_t addr, uint64_t entry, struct record *r)
{
	uint64_t page[PAGE / 8], pfn = merged_pfn(entry);

	*r = (struct record){ .flags = entry & PM_PRESENT ? PAGE_PRESENT : 0 };
	if (!pfn || pread(mem, page, PAGE, addr) != PAGE)
		return;
	if (merged_pfn(pagemap_entry(pagemap, addr)) != pfn)
		return;
	r->flags |= PAGE_MERGED;
	if (digest_page(page, r->digest))
		r->flags |= PAGE_ZERO;
}

static void walk_range(const struct range *range)
{
	static uint64_t entries[BATCH];
	static struct record records[BATCH];

	for (uint64_t at = range->first; at < range->end; at += BATCH * PAGE) {
		size_t n = (range->end - at) / PAGE;

		if (n > BATCH)
			n = BATCH;
		if (pread(pagemap, entries, n * 8, at / PAGE * 8) !=
		    (ssize_t)(n * 8))
			die("pagemap");
		for (size_t i = 0; i < n; i++)
			walk_page(at + i * PAGE, entries[i], &records[i]);
		if (fwrite(records, sizeof(records[0]), n, stdout) != n)
			die("write");
	}
}

/* All mappings that KSM may merge, as smaps tells them. */
static size_t find_ranges(const char *pid, struct range *ranges)
{
	FILE *f = fdopen(open_proc(pid, "smaps"), "r");
	struct range r = { 0 }, seen;
	char line[512];
	size_t n = 0;

	if (!f)
		die("smaps");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &seen.first,
			   &seen.end) == 2) {
			r = seen;
			continue;
		}
		if (strncmp(line, "VmFlags:", 8) || !strstr(line, " mg "))
			continue;
		if (n == RANGES_MAX) {
			errno = E2BIG;
			die("smaps");
		}
		ranges[n++] = r;
	}
	fclose(f);
	return n;
}

static int count_all(void)
{
	static uint64_t flags[8192];
	unsigned long count = 0;
	uint64_t pfn = 0;
	ssize_t n;

	while ((n = read(kpageflags, flags, sizeof(flags))) > 0)
		for (ssize_t i = 0; i < n / 8; i++)
			count += is_merged(pfn++, flags[i]);
	if (n < 0)
		die("/proc/kpageflags");
	printf("%lu\n", count);
	return 0;
}

int main(int argc, char **argv)
{
	static struct range ranges[RANGES_MAX];
	const uint32_t version = VERSION;
	uint64_t pages = 0;
	size_t n = 1;

	if (argc < 2 || argc > 3 ||
	    (argc == 3 && sscanf(argv[2], "%" SCNx64 "-%" SCNx64,
				 &ranges[0].first, &ranges[0].end) != 2)) {
		fprintf(stderr, "usage: ksmwalk PID [FIRST-END] | count\n");
		return 2;
	}
	kpageflags = open("/proc/kpageflags", O_RDONLY);
	if (kpageflags < 0)
		die("/proc/kpageflags");
	doubt_kpageflags();
	if (!strcmp(argv[1], "count"))
		return count_all();
	pagemap = open_proc(argv[1], "pagemap");
	mem = open_proc(argv[1], "mem");
	if (argc == 2)
		n = find_ranges(argv[1], ranges);
	for (size_t i = 0; i < n; i++)
		pages += (ranges[i].end - ranges[i].first) / PAGE;
	fwrite("KSMW", 4, 1, stdout);
	fwrite(&version, sizeof(version), 1, stdout);
	fwrite(&pages, sizeof(pages), 1, stdout);
	for (size_t i = 0; i < n; i++)
		walk_range(&ranges[i]);
	if (fflush(stdout))
		die("write");
	return 0;
}
