// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel module as a digest source (at the source of a migration) and as a
 * page source (at its destination): thin translations to /dev/umig's ioctls.
 */
#include "mem/digest_source.h"
#include "mem/page_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mem/group.h"
#include "mem/memslots.h"
#include "mem/umigdev.h"
#include "mem/zero_digest.h"

#define BATCH 512

_Static_assert(DIGEST_BYTES == UMIG_DIGEST_SIZE, "one digest size");
_Static_assert(sizeof(((struct digest_source *)0)->key_id) ==
	       UMIG_KEY_ID_SIZE, "one key id size");

/* Open the device with a key loaded: an fd, or -errno with the remedy. */
static int open_keyed(uint8_t *key_id, struct umig_info *info,
		      struct err *err)
{
	int fd = umigdev_open(err);
	int rc;

	if (fd < 0)
		return fd;
	rc = umigdev_info(fd, info);
	if (rc) {
		err_set(err, rc, "%s does not answer INFO: %s", UMIGDEV_PATH,
			strerror(-rc));
		goto close_fd;
	}
	if (!umigdev_has_key(info)) {
		rc = err_set(err, -ENOKEY,
			     "the module has no key: load the fleet's with `umig index set-key FILE`");
		goto close_fd;
	}
	if (info->max_batch < BATCH || info->page_size != UMIG_PAGE_SIZE) {
		rc = err_set(err, -EPROTO,
			     "the module takes %u pages of %u bytes a call, this umig needs %u of %lu",
			     info->max_batch, info->page_size, BATCH,
			     UMIG_PAGE_SIZE);
		goto close_fd;
	}
	memcpy(key_id, info->key_id, UMIG_KEY_ID_SIZE);
	return fd;

close_fd:
	close(fd);
	return rc;
}

struct module_digests {
	struct digest_source ds;
	int fd;
	struct zero_digest zero;
	struct umig_run runs[BATCH];
	digest_t digests[BATCH];
};

static uint8_t class_of(uint32_t page_class)
{
	switch (page_class) {
	case UMIG_PAGE_ZERO:
		return DIGEST_ZERO;
	case UMIG_PAGE_MERGED:
		return DIGEST_KNOWN;
	case UMIG_PAGE_MERGED_UNHASHED:
		return DIGEST_LATER;
	default:
		return DIGEST_NONE;
	}
}

/* Spread runs over pages; -EPROTO if they don't fit: the module's mistake. */
static int spread(const struct module_digests *md, uint32_t nr_runs,
		  uint32_t pages, uint32_t nr_digests, uint8_t *classes,
		  digest_t *digests)
{
	uint32_t i, at, used = 0;

	for (i = 0; i < nr_runs; i++) {
		const struct umig_run *run = &md->runs[i];

		if (run->first > pages || run->count > pages - run->first)
			return -EPROTO;
		for (at = run->first; at < run->first + run->count; at++) {
			classes[at] = class_of(run->class);
			if (classes[at] != DIGEST_KNOWN)
				continue;
			if (used == nr_digests)
				return -EPROTO;
			digests[at] = md->digests[used++];
		}
	}
	return 0;
}

static int module_range(struct digest_source *ds, const void *hva,
			unsigned int pages, uint8_t *classes,
			digest_t *digests)
{
	struct module_digests *md = (struct module_digests *)ds;
	unsigned int done;

	memset(classes, DIGEST_NONE, pages);
	for (done = 0; done < pages;) {
		uint32_t n = pages - done, nr_runs = BATCH, nr_digests = BATCH;
		int rc = umigdev_range(md->fd,
				       (const uint8_t *)hva +
					       done * UMIG_PAGE_SIZE,
				       &n, md->runs, &nr_runs, md->digests,
				       &nr_digests);

		if (rc)
			return rc;
		if (!n || n > pages - done)
			return -EPROTO;
		rc = spread(md, nr_runs, n, nr_digests, classes + done,
			    digests + done);
		if (rc)
			return rc;
		done += n;
	}
	zero_digest_sort(&md->zero, hva, pages, classes, digests);
	return 0;
}

static void module_coverage(struct digest_source *ds, uint64_t *hashed,
			    uint64_t *merged)
{
	struct module_digests *md = (struct module_digests *)ds;
	struct umig_info info;

	if (umigdev_info(md->fd, &info))
		return;
	*hashed = info.hashed_pages;
	*merged = info.merged_pages;
}

static void module_digests_close(struct digest_source *ds)
{
	struct module_digests *md = (struct module_digests *)ds;

	close(md->fd);
	free(md);
}

/* As open_keyed(), of a module that gives digests. */
static int open_telling(uint8_t *key_id, struct err *err)
{
	struct umig_info info;
	int fd = open_keyed(key_id, &info, err);

	if (fd < 0 || info.mode != UMIG_MODE_SCAN)
		return fd;
	close(fd);
	return err_set(err, -EOPNOTSUPP,
		       "the module works in mode scan, in which it gives no digests: its hooks don't work, the kernel's log says why (dmesg)");
}

int digest_source_module_open(struct digest_source **out, struct err *err)
{
	struct module_digests *md = calloc(1, sizeof(*md));

	if (!md)
		return err_set(err, -ENOMEM, "out of memory");
	md->fd = open_telling(md->ds.key_id, err);
	if (md->fd < 0) {
		int rc = md->fd;

		free(md);
		return rc;
	}
	md->ds.name = "umig.ko";
	md->ds.range = module_range;
	md->ds.coverage = module_coverage;
	md->ds.close = module_digests_close;
	*out = &md->ds;
	return 0;
}

struct module_pages {
	struct page_source ps;
	int fd;
	uint32_t leases[BATCH];
	struct umig_fill_item items[BATCH];
};

static int module_offer(struct page_source *ps, const digest_t *digests,
			unsigned int nr, uint64_t *leases)
{
	struct module_pages *mp = (struct module_pages *)ps;
	unsigned int i;
	int rc = umigdev_confirm(mp->fd, digests, nr, mp->leases);

	if (rc < 0)
		return rc;
	for (i = 0; i < nr; i++)
		leases[i] = mp->leases[i];
	return 0;
}

/* By SHARE, which copies what can't be shared, where the module has it. */
static int fill_or_share(struct module_pages *mp, unsigned int nr)
{
	unsigned int i;
	int rc;

	if (!mp->ps.shares)
		return umigdev_fill(mp->fd, mp->items, nr);
	rc = umigdev_share(mp->fd, mp->items, nr);
	for (i = 0; i < nr && rc >= 0; i++) {
		mp->ps.shared += !mp->items[i].result;
		if (mp->items[i].result == UMIG_SHARE_COPIED)
			mp->items[i].result = 0;
	}
	return rc;
}

static int module_place(struct page_source *ps, struct place_item *items,
			unsigned int nr)
{
	struct module_pages *mp = (struct module_pages *)ps;
	unsigned int i;
	int rc;

	for (i = 0; i < nr; i++)
		mp->items[i] = (struct umig_fill_item){
			.addr = (uintptr_t)items[i].hva,
			.lease = items[i].lease,
		};
	rc = fill_or_share(mp, nr);
	if (rc < 0)
		return rc;
	for (i = 0; i < nr; i++)
		items[i].result = mp->items[i].result;
	return 0;
}

static void module_release_all(struct page_source *ps)
{
	struct module_pages *mp = (struct module_pages *)ps;

	umigdev_release_all(mp->fd);
}

static void module_pages_close(struct page_source *ps)
{
	struct module_pages *mp = (struct module_pages *)ps;

	close(mp->fd);	/* which gives the leases back */
	free(mp);
}

/* As open_keyed(), and joined. */
static int open_joined(uint8_t *key_id, const char *group,
		       struct umig_info *info, struct err *err)
{
	uint8_t id[GROUP_ID_BYTES];
	int fd = open_keyed(key_id, info, err);
	int rc;

	if (fd < 0 || !group)
		return fd;
	group_id(group, id);
	rc = umigdev_join(fd, group, id, err);
	if (!rc)
		return fd;
	close(fd);
	return rc;
}

int page_source_module_open(struct page_source **out, const char *group,
			    struct err *err)
{
	struct module_pages *mp = calloc(1, sizeof(*mp));
	struct umig_info info;

	if (!mp)
		return err_set(err, -ENOMEM, "out of memory");
	mp->fd = open_joined(mp->ps.key_id, group, &info, err);
	if (mp->fd < 0) {
		int rc = mp->fd;

		free(mp);
		return rc;
	}
	mp->ps.name = "umig.ko";
	mp->ps.shares = info.features & UMIG_FEATURE_SHARE;
	mp->ps.offer = module_offer;
	mp->ps.place = module_place;
	mp->ps.release_all = module_release_all;
	mp->ps.close = module_pages_close;
	*out = &mp->ps;
	return 0;
}
