// SPDX-License-Identifier: GPL-2.0
/*
 * An image's index as a digest source: digests of guest pages that still are
 * what the image has at their place, as those that the guest never wrote are.
 *
 * That they still are is not assumed but seen: the page is summed as it is now.
 * A dirty log couldn't tell, since it begins with the migration and the image is
 * older; and a page that is written after it was summed is in the log.
 */
#include "mem/digest_source.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "mem/image_index.h"

/**
 * struct file_digests - Immutable but for @told.
 * @ms: the VM's RAM, borrowed.
 * @told: the user was told that the index can't be read.
 */
struct file_digests {
	struct digest_source ds;
	struct image_index ix;
	const struct memslots *ms;
	atomic_flag told;
};

/* The dense index of the page at @hva, or UINT64_MAX. */
static uint64_t dense_index(const struct memslots *ms, const uint8_t *hva)
{
	const struct memslot *s;

	for (s = ms->slot; s < ms->slot + ms->nr; s++)
		if (hva >= s->hva &&
		    (uint64_t)(hva - s->hva) < s->pages << UMIG_PAGE_SHIFT)
			return s->index + ((hva - s->hva) >> UMIG_PAGE_SHIFT);
	return UINT64_MAX;
}

/* Digests spare sends; without them everything is right all the same. */
static void tell(struct file_digests *fd, int rc)
{
	if (!atomic_flag_test_and_set(&fd->told))
		log_warn("%s" IMAGE_INDEX_SUFFIX ": %s: pages that it knows are sent instead",
			 fd->ds.name, strerror(-rc));
}

static int file_range(struct digest_source *ds, const void *hva,
		      unsigned int pages, uint8_t *classes, digest_t *digests)
{
	struct file_digests *fd = (struct file_digests *)ds;
	struct image_record records[IMAGE_BATCH];
	uint64_t index = dense_index(fd->ms, hva);
	const uint8_t *page = hva;
	unsigned int i, n = pages;
	page_sum_t sum;
	int rc;

	memset(classes, DIGEST_NONE, pages);
	if (index >= fd->ix.head.pages || pages > IMAGE_BATCH)
		return 0;
	if (n > fd->ix.head.pages - index)
		n = fd->ix.head.pages - index;
	rc = image_index_read(&fd->ix, index, n, records);
	if (rc) {
		tell(fd, rc);
		return 0;
	}
	for (i = 0; i < n; i++, page += UMIG_PAGE_SIZE) {
		if (image_record_empty(&records[i]))
			continue;
		sum = page_sum(&fd->ix.sum_key, page);
		if (memcmp(&sum, &records[i].sum, sizeof(sum)))
			continue;
		classes[i] = DIGEST_KNOWN;
		digests[i] = records[i].digest;
	}
	return 0;
}

static void file_close(struct digest_source *ds)
{
	struct file_digests *fd = (struct file_digests *)ds;

	image_index_close(&fd->ix);
	free((char *)fd->ds.name);
	free(fd);
}

int digest_source_file_open(struct digest_source **out, const char *image,
			    const struct memslots *ms, struct err *err)
{
	struct file_digests *fd = calloc(1, sizeof(*fd));
	char *name = strdup(image);
	int rc;

	if (!fd || !name) {
		free(fd);
		free(name);
		return err_set(err, -ENOMEM, "out of memory");
	}
	rc = image_index_open(&fd->ix, image, err);
	if (rc) {
		free(fd);
		free(name);
		return rc;
	}
	memcpy(fd->ds.key_id, fd->ix.head.key_id, sizeof(fd->ds.key_id));
	atomic_flag_clear(&fd->told);
	fd->ms = ms;
	fd->ds.name = name;
	fd->ds.range = file_range;
	fd->ds.close = file_close;
	*out = &fd->ds;
	return 0;
}
