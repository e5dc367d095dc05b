// SPDX-License-Identifier: GPL-2.0
/*
 * The module and its device; see dev.h.
 */
#include "dev.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "ksm.h"

#define SETTLE_TIMEOUT_MS 120000

const uint8_t test_key[32] = "thirty-two bytes of a test's key";

int module_load(const char *params)
{
	const char *path = getenv("UMIG_KO") ?: "/umig.ko";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, params, 0))
		err = -errno;
	close(fd);
	return err;
}

int module_unload(void)
{
	return syscall(SYS_delete_module, "umig", O_NONBLOCK) ? -errno : 0;
}

void module_reload(const char *params)
{
	int err = module_unload();

	if (err && err != -ENOENT)
		bail("module can't be unloaded: %s", strerror(-err));
	err = module_load(params);
	if (err)
		bail("module can't be loaded: %s", strerror(-err));
}

void module_param(const char *name, long value)
{
	char path[128], text[32];
	int err;

	snprintf(path, sizeof(path), "/sys/module/umig/parameters/%s", name);
	snprintf(text, sizeof(text), "%ld", value);
	err = write_file(path, text);
	if (err)
		bail("%s=%ld: %s", path, value, strerror(-err));
}

int dev_open(void)
{
	int fd = open("/dev/umig", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		bail("/dev/umig: %s", strerror(errno));
	return fd;
}

int dev_ioctl(int fd, unsigned long nr, void *arg)
{
	return ioctl(fd, nr, arg) < 0 ? -errno : 0;
}

int dev_set_key(int fd, const uint8_t key[32])
{
	struct umig_set_key set = { .size = sizeof(set) };

	memcpy(set.key, key, sizeof(set.key));
	return dev_ioctl(fd, UMIG_IOC_SET_KEY, &set);
}

struct umig_info dev_info(int fd)
{
	struct umig_info info = { .size = sizeof(info) };
	int err = dev_ioctl(fd, UMIG_IOC_INFO, &info);

	if (err)
		bail("INFO: %s", strerror(-err));
	return info;
}

struct umig_stat dev_stat(int fd)
{
	struct umig_stat stat = { .size = sizeof(stat) };
	int err = dev_ioctl(fd, UMIG_IOC_STAT, &stat);

	if (err)
		bail("STAT: %s", strerror(-err));
	return stat;
}

int dev_fresh(const char *params)
{
	int fd, err;

	module_reload(params);
	fd = dev_open();
	err = dev_set_key(fd, test_key);
	if (err)
		bail("SET_KEY: %s", strerror(-err));
	return fd;
}

static bool is_settled(void *arg)
{
	struct umig_info info;
	struct umig_stat stat;
	int fd = *(int *)arg;

	stat = dev_stat(fd);
	info = dev_info(fd);
	return !stat.queue_len && info.hashed_pages == info.merged_pages;
}

bool dev_settle(int fd)
{
	return wait_until(is_settled, &fd, SETTLE_TIMEOUT_MS);
}

/* One call, spread over the caller's arrays; returns pages or -errno. */
static long range_once(int fd, int mem_fd, const char *base, uint32_t pages,
		       uint8_t *classes, digest_t *digests)
{
	struct umig_run runs[512];
	digest_t found[512];
	struct umig_range r = {
		.size = sizeof(r),
		.mem_fd = mem_fd,
		.nr_pages = pages,
		.addr = (uintptr_t)base,
		.runs = (uintptr_t)runs,
		.digests = (uintptr_t)found,
		.nr_runs = 512,
		.nr_digests = 512,
	};
	uint32_t i, j, at = 0, d = 0;
	int err;

	err = dev_ioctl(fd, UMIG_IOC_RANGE, &r);
	if (err)
		return err;
	for (i = 0; i < r.nr_runs; i++) {
		if (runs[i].first != at || runs[i].reserved)
			return -EPROTO;
		for (j = 0; j < runs[i].count; j++, at++) {
			classes[at] = runs[i].class;
			if (runs[i].class == UMIG_PAGE_MERGED)
				memcpy(digests[at], found[d++], DIGEST);
		}
	}
	return at == r.nr_pages && d == r.nr_digests ? (long)at : -EPROTO;
}

int dev_range_of(int fd, int mem_fd, const void *base, size_t pages,
		 uint8_t *classes, digest_t *digests)
{
	size_t at = 0;
	long n;

	while (at < pages) {
		n = range_once(fd, mem_fd, (const char *)base + at * PAGE,
			       pages - at < 512 ? pages - at : 512,
			       classes + at, digests + at);
		if (n <= 0)
			return n ? n : -EPROTO;
		at += n;
	}
	return 0;
}

int dev_range(int fd, const void *base, size_t pages, uint8_t *classes,
	      digest_t *digests)
{
	return dev_range_of(fd, -1, base, pages, classes, digests);
}

int dev_confirm(int fd, digest_t *digests, uint32_t nr, uint32_t *leases,
		uint32_t *held)
{
	struct umig_confirm c = {
		.size = sizeof(c),
		.digests = (uintptr_t)digests,
		.leases = (uintptr_t)leases,
		.nr = nr,
	};
	int err = dev_ioctl(fd, UMIG_IOC_CONFIRM, &c);

	*held = err ? 0 : c.nr_held;
	return err;
}

int dev_fill(int fd, struct umig_fill_item *items, uint32_t nr,
	     uint32_t *filled)
{
	struct umig_fill f = {
		.size = sizeof(f),
		.items = (uintptr_t)items,
		.nr = nr,
	};
	int err = dev_ioctl(fd, UMIG_IOC_FILL, &f);

	*filled = err ? 0 : f.nr_filled;
	return err;
}

int dev_share(int fd, struct umig_fill_item *items, uint32_t nr,
	      uint32_t *filled, uint32_t *shared)
{
	struct umig_share s = {
		.size = sizeof(s),
		.items = (uintptr_t)items,
		.nr = nr,
	};
	int err = dev_ioctl(fd, UMIG_IOC_SHARE, &s);

	*filled = err ? 0 : s.nr_filled;
	*shared = err ? 0 : s.nr_shared;
	return err;
}

int dev_fill_page(int fd, uint32_t lease, void *page)
{
	struct umig_fill_item item = {
		.addr = (uintptr_t)page,
		.lease = lease,
		.result = 1,
	};
	uint32_t filled;
	int err = dev_fill(fd, &item, 1, &filled);

	return err ? err : item.result;
}

static int release(int fd, uint32_t flags, uint32_t *leases, uint32_t nr,
		   uint32_t *released)
{
	struct umig_release r = {
		.size = sizeof(r),
		.flags = flags,
		.leases = (uintptr_t)leases,
		.nr = nr,
	};
	int err = dev_ioctl(fd, UMIG_IOC_RELEASE, &r);

	*released = err ? 0 : r.nr_released;
	return err;
}

int dev_release(int fd, uint32_t *leases, uint32_t nr, uint32_t *released)
{
	return release(fd, 0, leases, nr, released);
}

int dev_release_all(int fd, uint32_t *released)
{
	return release(fd, UMIG_RELEASE_ALL, NULL, 0, released);
}

void digest_of_page(const void *page, digest_t digest)
{
	crypto_generichash(digest, DIGEST, page, PAGE, test_key,
			   sizeof(test_key));
}

void digest_of_seed(uint64_t seed, digest_t digest)
{
	char page[PAGE];

	fill_page(page, seed);
	digest_of_page(page, digest);
}
