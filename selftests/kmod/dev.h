/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The module and its device: load, unload, and the ioctls with their
 * arguments spelled out.  Calls return 0 or -errno.
 */
#ifndef UMIG_SELFTESTS_KMOD_DEV_H
#define UMIG_SELFTESTS_KMOD_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/umig.h>

#define DIGEST UMIG_DIGEST_SIZE

typedef uint8_t digest_t[DIGEST];

/* $UMIG_KO, or /umig.ko */
int module_load(const char *params);
int module_unload(void);
/* Whatever was loaded is replaced; bails out if that fails. */
void module_reload(const char *params);
void module_param(const char *name, long value);

int dev_open(void);
int dev_ioctl(int fd, unsigned long nr, void *arg);
int dev_set_key(int fd, const uint8_t key[32]);
struct umig_info dev_info(int fd);
struct umig_stat dev_stat(int fd);

/* A fresh module with a key, and its device. */
int dev_fresh(const char *params);
extern const uint8_t test_key[32];

/* Wait until all that the hooks have seen is hashed. */
bool dev_settle(int fd);

/* Classes and digests of @pages pages; a digest is written for MERGED only. */
int dev_range(int fd, const void *base, size_t pages, uint8_t *classes,
	      digest_t *digests);
/* Of the process whose /proc/PID/mem is open. */
int dev_range_of(int fd, int mem_fd, const void *base, size_t pages,
		 uint8_t *classes, digest_t *digests);
int dev_confirm(int fd, digest_t *digests, uint32_t nr, uint32_t *leases,
		uint32_t *held);
int dev_fill(int fd, struct umig_fill_item *items, uint32_t nr,
	     uint32_t *filled);
/* As dev_fill(), by SHARE; @shared: how many of them cost no memory. */
int dev_share(int fd, struct umig_fill_item *items, uint32_t nr,
	      uint32_t *filled, uint32_t *shared);
int dev_fill_page(int fd, uint32_t lease, void *page);
int dev_release(int fd, uint32_t *leases, uint32_t nr, uint32_t *released);
int dev_release_all(int fd, uint32_t *released);

/* What the digest must be, by libsodium. */
void digest_of_page(const void *page, digest_t digest);
void digest_of_seed(uint64_t seed, digest_t digest);

#endif
