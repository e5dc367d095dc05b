/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /dev/umig as C functions: one for each ioctl, sizes and reserved fields
 * filled in, -errno instead of -1, and words for what keeps the device from
 * being opened.  Holds no state but the file descriptor, which the caller owns
 * and closes; leases end with it.
 */
#ifndef UMIG_MEM_UMIGDEV_H
#define UMIG_MEM_UMIGDEV_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/umig.h>

#include "lib/err.h"

#define UMIGDEV_PATH "/dev/umig"

/**
 * umigdev_open() - Open the device and see that we speak the same ABI.
 *
 * Return: a file descriptor (close-on-exec), or, with the remedy in @err,
 * -ENOENT: no module; -EACCES: no right; -EPROTO: another ABI; else -errno.
 */
int umigdev_open(struct err *err);

/** umigdev_info() - What the module is and how full its index is. */
int umigdev_info(int fd, struct umig_info *out);

/** umigdev_has_key() - Whether a key was loaded when @info was taken. */
bool umigdev_has_key(const struct umig_info *info);

/** umigdev_set_key() - Load the domain key.  The caller wipes @key. */
int umigdev_set_key(int fd, const uint8_t key[UMIG_KEY_SIZE],
		    struct err *err);

/**
 * umigdev_join() - Make the file and this process members of a trust group.
 * @name: for messages.
 * @id: all zero: the common group.
 *
 * Return: 0, or, with the remedy in @err, -EOPNOTSUPP: the module doesn't know
 * groups; -EBUSY: the file or the process is of another one; else -errno.
 */
int umigdev_join(int fd, const char *name, const uint8_t id[UMIG_GROUP_SIZE],
		 struct err *err);

#define UMIGDEV_RESCAN "/sys/class/misc/umig/rescan"

/**
 * umigdev_rescan() - Have all memory looked through for merged pages.
 * @file: UMIGDEV_RESCAN, but for tests.
 *
 * Return: 0: it has begun, or will; or -errno with the remedy in @err.
 */
int umigdev_rescan(const char *file, struct err *err);

/** umigdev_stat() - Counters since the module was loaded. */
int umigdev_stat(int fd, struct umig_stat *out);

/**
 * umigdev_range() - Which of @pages pages at @addr are merged.
 * @pages: in: how many, at most &umig_info.max_batch; out: how many were
 *	looked at: fewer if an array was full.
 * @runs: receives runs without gap.
 * @nr_runs: in: its room; out: runs written.
 * @digests: receives the merged pages' digests, UMIG_DIGEST_SIZE bytes each.
 * @nr_digests: in: its room; out: digests written.
 */
int umigdev_range(int fd, const void *addr, uint32_t *pages,
		  struct umig_run *runs, uint32_t *nr_runs,
		  void *digests, uint32_t *nr_digests);

/**
 * umigdev_confirm() - Lease the pages behind @nr digests.
 * @leases: receives @nr leases, 0 for what this host doesn't hold.
 *
 * Return: how many are held, or -errno.
 */
int umigdev_confirm(int fd, const void *digests, uint32_t nr,
		    uint32_t *leases);

/**
 * umigdev_fill() - Copy leased pages to the addresses of @items.
 *
 * Return: how many have a result of 0, or -errno.
 */
int umigdev_fill(int fd, struct umig_fill_item *items, uint32_t nr);

/**
 * umigdev_share() - Map leased pages at the addresses of @items, or copy.
 *
 * Needs UMIG_FEATURE_SHARE to be of use.  An item's result may also be
 * UMIG_SHARE_COPIED.
 *
 * Return: how many items have their content, or -errno.
 */
int umigdev_share(int fd, struct umig_fill_item *items, uint32_t nr);

/** umigdev_release() - Give leases back.  Return: how many, or -errno. */
int umigdev_release(int fd, const uint32_t *leases, uint32_t nr);

/** umigdev_release_all() - Give back every lease of this file. */
int umigdev_release_all(int fd);

#endif
