// SPDX-License-Identifier: GPL-2.0
/*
 * An image as a page source.  Which contents it has is in memory, from its
 * index: some 70 bytes for each that isn't zero.  Pages are read(2) from the image
 * straight into the guest's memory, and what has been read there is summed: the
 * image may have become another one meanwhile, or may never have been the one
 * that was indexed.
 *
 * A lease is the place of a content in the table; nothing is held by it, since
 * place() looks anyway.
 */
#include "mem/page_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "lib/log.h"
#include "mem/image_index.h"
#include "mem/memslots.h"

/** struct content - A page's content: where it is, and what it is. */
struct content {
	struct image_record record;
	uint64_t page;
};

/**
 * struct file_pages - Immutable but for @told.
 * @image: the file.
 * @pages: of the image.
 * @content: each content that isn't zero once, @nr of them.
 * @table: open addressing: place in @content, + 1; 0: empty.
 * @slots: of @table, a power of two.
 * @key: of the table's hash: who offers digests, or wrote the index, can't
 *	choose them to collide.
 * @told: the user was told that the image isn't what was indexed.
 */
struct file_pages {
	struct page_source ps;
	int image;
	uint64_t pages;
	struct page_sum_key sum_key;
	struct content *content;
	uint64_t nr;
	uint64_t cap;
	uint32_t *table;
	uint64_t slots;
	uint8_t key[crypto_shorthash_KEYBYTES];
	atomic_flag told;
};

static uint64_t hash(const struct file_pages *fp, const digest_t *digest)
{
	uint64_t h;

	crypto_shorthash((uint8_t *)&h, digest->b, sizeof(digest->b), fp->key);
	return h;
}

/* The slot of @digest, whose hash is @at, or the empty one where it belongs. */
static uint32_t *find_slot(const struct file_pages *fp, const digest_t *digest,
			   uint64_t at)
{
	for (;; at++) {
		uint32_t *slot = &fp->table[at & (fp->slots - 1)];

		if (!*slot || !memcmp(&fp->content[*slot - 1].record.digest,
				      digest, sizeof(*digest)))
			return slot;
	}
}

static int add_content(struct file_pages *fp, uint64_t page,
		       const struct image_record *record)
{
	struct content *content;
	uint64_t cap;

	if (fp->nr == fp->cap) {
		cap = fp->cap ? fp->cap * 2 : 4096;
		content = realloc(fp->content, cap * sizeof(*content));
		if (!content)
			return -ENOMEM;
		fp->content = content;
		fp->cap = cap;
	}
	fp->content[fp->nr++] = (struct content){
		.record = *record,
		.page = page,
	};
	return 0;
}

static int read_contents(struct file_pages *fp, const struct image_index *ix)
{
	struct image_record records[IMAGE_BATCH];
	uint64_t at, n, i;
	int rc = 0;

	for (at = 0; at < fp->pages && !rc; at += n) {
		n = fp->pages - at;
		if (n > IMAGE_BATCH)
			n = IMAGE_BATCH;
		rc = image_index_read(ix, at, n, records);
		for (i = 0; i < n && !rc; i++)
			if (!image_record_empty(&records[i]))
				rc = add_content(fp, at + i, &records[i]);
	}
	return rc;
}

/* Of pages of one content the first is kept. */
static int fill_table(struct file_pages *fp)
{
	uint64_t i, kept = 0;

	for (fp->slots = 1024; fp->slots < 2 * fp->nr;)
		fp->slots *= 2;
	fp->table = calloc(fp->slots, sizeof(*fp->table));
	if (!fp->table)
		return -ENOMEM;
	randombytes_buf(fp->key, sizeof(fp->key));
	for (i = 0; i < fp->nr; i++) {
		const struct content c = fp->content[i];
		uint32_t *slot = find_slot(fp, &c.record.digest,
					   hash(fp, &c.record.digest));

		if (*slot)
			continue;
		fp->content[kept] = c;
		*slot = ++kept;
	}
	fp->nr = kept;
	return 0;
}

static int file_offer(struct page_source *ps, const digest_t *digests,
		      unsigned int nr, uint64_t *leases)
{
	struct file_pages *fp = (struct file_pages *)ps;
	uint64_t at[PLACE_BATCH];
	unsigned int i;
	uint32_t slot;

	if (nr > PLACE_BATCH)
		return -EINVAL;
	/* table and contents are anywhere in memory: wait for all at once */
	for (i = 0; i < nr; i++) {
		at[i] = hash(fp, &digests[i]);
		__builtin_prefetch(&fp->table[at[i] & (fp->slots - 1)]);
	}
	for (i = 0; i < nr; i++) {
		slot = fp->table[at[i] & (fp->slots - 1)];
		if (slot)
			__builtin_prefetch(&fp->content[slot - 1]);
	}
	for (i = 0; i < nr; i++)
		leases[i] = *find_slot(fp, &digests[i], at[i]);
	return 0;
}

static const struct content *content_of(const struct file_pages *fp,
					const struct place_item *item)
{
	return &fp->content[item->lease - 1];
}

/*
 * Pages are placed so many at a time: 256 KiB stay in the cache from when the
 * kernel clears them until they are summed.
 */
#define RUN_PAGES 64

/* How many of @items are neighbours in image and guest, and alike, >= 1. */
static unsigned int run_length(const struct file_pages *fp,
			       const struct place_item *items, unsigned int nr)
{
	unsigned int n = 1;

	while (n < nr && n < RUN_PAGES && items[n].fresh == items->fresh &&
	       content_of(fp, &items[n])->page ==
		       content_of(fp, &items[n - 1])->page + 1 &&
	       (uint8_t *)items[n].hva ==
		       (uint8_t *)items[n - 1].hva + UMIG_PAGE_SIZE)
		n++;
	return n;
}

static void tell(struct file_pages *fp, const struct place_item *item, int rc)
{
	if (!atomic_flag_test_and_set(&fp->told))
		log_warn("%s: page %llu: %s: pages of it that can't be used are sent instead; make its index again with: umig image index",
			 fp->ps.name,
			 (unsigned long long)content_of(fp, item)->page,
			 rc == -EBADMSG ? "is not what was indexed" :
			 rc == -ENODATA ? "is not there any more" :
					  strerror(-rc));
}

/*
 * Take the page faults of @nr pages at once: one by one they cost more than the
 * reading.  They are going to be written whatever becomes of this; before Linux
 * 5.14 it fails, and read(2) takes the faults.
 */
static void populate(void *hva, unsigned int nr)
{
	if (nr > 1)
		(void)madvise(hva, (size_t)nr * UMIG_PAGE_SIZE,
			      MADV_POPULATE_WRITE);
}

static void place_run(struct file_pages *fp, struct place_item *items,
		      unsigned int nr)
{
	unsigned int i, whole;
	page_sum_t sum;
	int64_t got;

	if (items->fresh)
		populate(items->hva, nr);
	got = image_read(fp->image, items->hva, (uint64_t)nr * UMIG_PAGE_SIZE,
			 content_of(fp, items)->page * UMIG_PAGE_SIZE);
	whole = got < 0 ? 0 : got / UMIG_PAGE_SIZE;
	for (i = 0; i < nr; i++) {
		struct place_item *item = &items[i];

		item->result = got < 0 ? (int)got : -ENODATA;
		if (i < whole) {
			sum = page_sum(&fp->sum_key, item->hva);
			item->result = memcmp(&sum,
					      &content_of(fp, item)->record.sum,
					      sizeof(sum)) ? -EBADMSG : 0;
		}
		if (item->result)
			tell(fp, item, item->result);
	}
}

static int file_place(struct page_source *ps, struct place_item *items,
		      unsigned int nr)
{
	struct file_pages *fp = (struct file_pages *)ps;
	unsigned int i, n;

	for (i = 0; i < nr; i++)
		if (!items[i].lease || items[i].lease > fp->nr)
			return -EINVAL;
	for (i = 0; i < nr; i += n) {
		n = run_length(fp, items + i, nr - i);
		place_run(fp, items + i, n);
	}
	return 0;
}

static void file_release_all(struct page_source *ps)
{
	(void)ps;
}

static void file_pages_close(struct page_source *ps)
{
	struct file_pages *fp = (struct file_pages *)ps;

	if (fp->image >= 0)
		close(fp->image);
	free(fp->content);
	free(fp->table);
	free((char *)fp->ps.name);
	free(fp);
}

static int open_image(struct file_pages *fp, struct err *err)
{
	const char *path = fp->ps.name;
	struct stat st;

	fp->image = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fp->image < 0 || fstat(fp->image, &st))
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size != fp->pages * UMIG_PAGE_SIZE)
		return err_set(err, -EBADMSG,
			       "%s: is not the image of %llu pages that its index is of: make that again with: umig image index",
			       path, (unsigned long long)fp->pages);
	/* a migration reads each page once: no reason to keep what it reads */
	(void)posix_fadvise(fp->image, 0, 0, POSIX_FADV_NOREUSE);
	return 0;
}

static int load(struct file_pages *fp, struct err *err)
{
	struct image_index ix;
	int rc = image_index_open(&ix, fp->ps.name, err);

	if (rc)
		return rc;
	fp->pages = ix.head.pages;
	fp->sum_key = ix.sum_key;
	memcpy(fp->ps.key_id, ix.head.key_id, sizeof(fp->ps.key_id));
	rc = open_image(fp, err);
	if (!rc)
		rc = read_contents(fp, &ix);
	if (!rc)
		rc = fill_table(fp);
	image_index_close(&ix);
	return rc ? err_set(err, rc, "%s" IMAGE_INDEX_SUFFIX ": %s",
			    fp->ps.name, strerror(-rc)) : 0;
}

int page_source_file_open(struct page_source **out, const char *image,
			  struct err *err)
{
	struct file_pages *fp = calloc(1, sizeof(*fp));
	int rc;

	if (!fp)
		return err_set(err, -ENOMEM, "out of memory");
	fp->image = -1;
	atomic_flag_clear(&fp->told);
	fp->ps.offer = file_offer;
	fp->ps.place = file_place;
	fp->ps.release_all = file_release_all;
	fp->ps.close = file_pages_close;
	fp->ps.name = strdup(image);
	rc = fp->ps.name ? load(fp, err) :
			   err_set(err, -ENOMEM, "out of memory");
	if (rc) {
		file_pages_close(&fp->ps);
		return rc;
	}
	*out = &fp->ps;
	return 0;
}
