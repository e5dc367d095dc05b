// SPDX-License-Identifier: GPL-2.0
/*
 * KSM's knobs, mergeable memory, and the reference walk; see ksm.h.
 */
#include "ksm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "kcore.h"

#define PM_PRESENT (1ull << 63)
#define PM_PFN ((1ull << 55) - 1)
#define KPF_KSM (1ull << 21)
/* The low bits of page->mapping. */
#define MAPPING_FLAGS 3ull
#define MAPPING_ANON 1ull
#define MAPPING_KSM 3ull
#define MOVE_ALL 4	/* MPOL_MF_MOVE_ALL */
/* ksmd's priority: its own, and before everybody else. */
#define NICE_KSMD 5
#define NICE_PREFERRED (-10)

static void knob_path(char *path, size_t len, const char *knob)
{
	snprintf(path, len, "/sys/kernel/mm/ksm/%s", knob);
}

long ksm_read(const char *knob)
{
	char path[128], text[32];
	ssize_t n;
	int fd;

	knob_path(path, sizeof(path), knob);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		bail("%s: %s", path, strerror(errno));
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		bail("%s: can't be read", path);
	text[n] = 0;
	return atol(text);
}

int ksm_try_write(const char *knob, long value)
{
	char path[128], text[32];

	knob_path(path, sizeof(path), knob);
	snprintf(text, sizeof(text), "%ld", value);
	return write_file(path, text);
}

void ksm_write(const char *knob, long value)
{
	int err = ksm_try_write(knob, value);

	if (err)
		bail("ksm: %s=%ld: %s", knob, value, strerror(-err));
}

void ksm_reset(void)
{
	ksm_write("run", 2);
	ksm_write("run", 0);
	ksm_write("max_page_sharing", 256);
	ksm_write("stable_node_chains_prune_millisecs", 2000);
	ksm_write("use_zero_pages", 0);
	/* Since 6.7 a page that has not merged for long is passed over. */
	ksm_try_write("smart_scan", 0);
}

void ksm_run(void)
{
	ksm_write("pages_to_scan", 20000);
	ksm_write("sleep_millisecs", 2);
	ksm_write("run", 1);
}

static pid_t pid_of_ksmd(void)
{
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	char path[300], name[32];
	pid_t pid = 0;
	FILE *f;

	while (proc && !pid && (entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		f = atoi(entry->d_name) > 0 ? fopen(path, "re") : NULL;
		if (!f)
			continue;
		if (fgets(name, sizeof(name), f) && !strcmp(name, "ksmd\n"))
			pid = atoi(entry->d_name);
		fclose(f);
	}
	if (proc)
		closedir(proc);
	return pid;
}

void ksm_prefer(bool prefer)
{
	pid_t pid = pid_of_ksmd();

	if (!pid || setpriority(PRIO_PROCESS, pid,
				prefer ? NICE_PREFERRED : NICE_KSMD))
		bail("ksmd (%d): can't be given priority", pid);
}

void fill_page(void *page, uint64_t seed)
{
	uint64_t x = seed * 0x9E3779B97F4A7C15ull + 0x1234567;
	uint64_t *words = page;
	size_t i;

	for (i = 0; i < PAGE / sizeof(*words); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		words[i] = x;
	}
}

void region_map(struct region *r, size_t pages, size_t distinct,
		uint64_t first)
{
	region_map_at(r, NULL, pages, distinct, first);
}

void region_map_at(struct region *r, void *where, size_t pages,
		   size_t distinct, uint64_t first)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	size_t i;

	r->pages = pages;
	r->seeds = calloc(pages, sizeof(*r->seeds));
	if (where)
		flags |= MAP_FIXED_NOREPLACE;
	r->base = mmap(where, pages * PAGE, PROT_READ | PROT_WRITE, flags, -1,
		       0);
	if (!r->seeds || r->base == MAP_FAILED)
		bail("no memory for %zu pages", pages);
	madvise(r->base, pages * PAGE, MADV_NOHUGEPAGE);
	for (i = 0; i < pages; i++)
		region_write(r, i, first + i % distinct);
	if (madvise(r->base, pages * PAGE, MADV_MERGEABLE))
		bail("MADV_MERGEABLE: %s", strerror(errno));
}

void region_unmap(struct region *r)
{
	munmap(r->base, r->pages * PAGE);
	free(r->seeds);
	memset(r, 0, sizeof(*r));
}

void region_write(struct region *r, size_t page, uint64_t seed)
{
	fill_page(r->base + page * PAGE, seed);
	r->seeds[page] = seed;
}

bool region_intact(const struct region *r)
{
	char want[PAGE];
	size_t i;

	for (i = 0; i < r->pages; i++) {
		fill_page(want, r->seeds[i]);
		if (memcmp(want, r->base + i * PAGE, PAGE))
			return false;
	}
	return true;
}

static bool all_merged(void *arg)
{
	const struct region *r = arg;
	bool merged = true;
	size_t i;

	for (i = 0; i < r->pages && merged; i++)
		walk(r->base + i * PAGE, 1, &merged);
	return merged;
}

bool region_wait_merged(const struct region *r)
{
	return wait_until(all_merged, (void *)r, MERGE_TIMEOUT_MS);
}

size_t region_move(const struct region *r, int node)
{
	void **addrs = calloc(r->pages, sizeof(*addrs));
	int *nodes = calloc(r->pages, sizeof(*nodes));
	int *status = calloc(r->pages, sizeof(*status));
	size_t i, there = 0;

	if (!addrs || !nodes || !status)
		bail("no memory");
	for (i = 0; i < r->pages; i++) {
		addrs[i] = r->base + i * PAGE;
		nodes[i] = node < 0 ? (int)(i % 2) : node;
		status[i] = -1;
	}
	syscall(SYS_move_pages, 0, r->pages, addrs, nodes, status, MOVE_ALL);
	for (i = 0; i < r->pages; i++)
		there += status[i] == nodes[i];
	free(addrs);
	free(nodes);
	free(status);
	return there;
}

static int proc_fd(int *fd, const char *path)
{
	if (*fd < 0)
		*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		bail("%s: %s", path, strerror(errno));
	return *fd;
}

/* The calling process's own, which changes with fork(). */
static int pagemap_fd(void)
{
	static int fd = -1;
	static pid_t owner;

	if (fd >= 0 && owner != getpid()) {
		close(fd);
		fd = -1;
	}
	owner = getpid();
	return proc_fd(&fd, "/proc/self/pagemap");
}

static uint64_t pagemap_entry(const void *addr)
{
	uint64_t entry;

	if (pread(pagemap_fd(), &entry, sizeof(entry),
		  (uintptr_t)addr / PAGE * sizeof(entry)) != sizeof(entry))
		bail("pagemap: %s", strerror(errno));
	return entry;
}

static bool kpageflags_say_ksm(uint64_t pfn)
{
	static int fd = -1;
	uint64_t flags;

	if (pread(proc_fd(&fd, "/proc/kpageflags"), &flags, sizeof(flags),
		  pfn * sizeof(flags)) != sizeof(flags))
		return false;
	return flags & KPF_KSM;
}

static uint64_t page_mapping(uint64_t pfn)
{
	uint64_t mapping;
	int err = kcore_page_mapping(pfn, &mapping);

	if (err)
		bail("/proc/kcore: %s", strerror(-err));
	return mapping;
}

/*
 * On 6.12 /proc/kpageflags calls every anonymous page one of KSM.  Whether it
 * does is asked of a page that KSM never saw.
 */
static bool kpageflags_lie(void)
{
	static int lie = -1;
	uint64_t pfn, mapping;
	char *page;

	if (lie >= 0)
		return lie;
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	if (page == MAP_FAILED)
		bail("no memory");
	*page = 1;
	pfn = pagemap_entry(page) & PM_PFN;
	lie = kpageflags_say_ksm(pfn);
	mapping = lie ? page_mapping(pfn) : MAPPING_ANON;
	if ((mapping & MAPPING_FLAGS) != MAPPING_ANON)
		bail("/proc/kcore: an anonymous page's mapping is %llx",
		     (unsigned long long)mapping);
	munmap(page, PAGE);
	return lie;
}

static bool pfn_is_ksm(uint64_t pfn)
{
	if (kpageflags_lie())
		return (page_mapping(pfn) & MAPPING_FLAGS) == MAPPING_KSM;
	return kpageflags_say_ksm(pfn);
}

bool walk_present(const void *addr)
{
	return pagemap_entry(addr) & PM_PRESENT;
}

uint64_t walk_pfn(const void *addr)
{
	return pagemap_entry(addr) & PM_PFN;
}

void walk(const void *base, size_t pages, bool *merged)
{
	uint64_t entry;
	size_t i;

	for (i = 0; i < pages; i++) {
		entry = pagemap_entry((const char *)base + i * PAGE);
		merged[i] = entry & PM_PRESENT && pfn_is_ksm(entry & PM_PFN);
	}
}

size_t walk_count(const void *base, size_t pages)
{
	bool *merged = calloc(pages, sizeof(*merged));
	size_t i, n = 0;

	if (!merged)
		bail("no memory");
	walk(base, pages, merged);
	for (i = 0; i < pages; i++)
		n += merged[i];
	free(merged);
	return n;
}
