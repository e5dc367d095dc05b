/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KSM as a test sees it: its knobs, mergeable memory with known content, and
 * the reference walk (pagemap and kpageflags) that tells without the module's
 * help which pages are merged.
 */
#ifndef UMIG_SELFTESTS_KMOD_KSM_H
#define UMIG_SELFTESTS_KMOD_KSM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096
/* A merge of a few thousand pages takes seconds in emulation. */
#define MERGE_TIMEOUT_MS 240000

long ksm_read(const char *knob);
void ksm_write(const char *knob, long value);
int ksm_try_write(const char *knob, long value);

/* Un-merge everything, and the defaults of all knobs. */
void ksm_reset(void);
/* ksmd as fast as it goes. */
void ksm_run(void);
/*
 * Whether ksmd goes before everybody else: else others who keep the CPUs busy
 * leave it a scan of their memory in 20 seconds.
 */
void ksm_prefer(bool prefer);

/* The content of which @seed is the name; never zero. */
void fill_page(void *page, uint64_t seed);

/**
 * struct region - Mergeable memory.
 * @base: first page.
 * @pages: how many.
 * @seeds: what each page was filled with.
 */
struct region {
	char *base;
	size_t pages;
	uint64_t *seeds;
};

/* Page i is filled with seed @first + i % @distinct. */
void region_map(struct region *r, size_t pages, size_t distinct,
		uint64_t first);
/* The same at an address where nothing is. */
void region_map_at(struct region *r, void *where, size_t pages,
		   size_t distinct, uint64_t first);
void region_unmap(struct region *r);
void region_write(struct region *r, size_t page, uint64_t seed);
bool region_intact(const struct region *r);

/* Wait until all pages of a region are merged. */
bool region_wait_merged(const struct region *r);

/*
 * Move all pages to memory node @node, or, if that is negative, page i to node
 * i % 2.  Returns how many are there in the end.
 */
size_t region_move(const struct region *r, int node);

/* Which pages are merged (KPF_KSM), by the reference walk. */
void walk(const void *base, size_t pages, bool *merged);
size_t walk_count(const void *base, size_t pages);
/* Is a page mapped there, whatever it is? */
bool walk_present(const void *addr);
uint64_t walk_pfn(const void *addr);

#endif
