// SPDX-License-Identifier: GPL-2.0
/*
 * The index of an image, made: every page is read, digested and summed once.
 * See image_index.h.
 */
#include "mem/image_index.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "mem/domain_key.h"
#include "mem/memslots.h"
#include "mem/zero.h"

/**
 * struct maker - One run.
 * @image, @index: files; the index under a name of its own until it is whole.
 * @path: the index's final name, @work: that until then.
 * @key: the domain key, borrowed.
 */
struct maker {
	int image;
	int index;
	char path[PATH_MAX];
	char work[PATH_MAX];
	const uint8_t *key;
	struct image_head head;
	struct page_sum_key sum_key;
	uint64_t zero;
	uint8_t pages[IMAGE_BATCH][UMIG_PAGE_SIZE]
		__attribute__((aligned(UMIG_PAGE_SIZE)));
	struct image_record records[IMAGE_BATCH];
};

static int open_image(struct maker *mk, const char *image, struct err *err)
{
	struct stat st;

	mk->image = open(image, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (mk->image < 0 || fstat(mk->image, &st))
		return err_set(err, -errno, "%s: %s", image, strerror(errno));
	if (!S_ISREG(st.st_mode) || !st.st_size ||
	    st.st_size % UMIG_PAGE_SIZE ||
	    st.st_size / UMIG_PAGE_SIZE > IMAGE_PAGES_MAX)
		return err_set(err, -EINVAL,
			       "%s: is no image of memory: a regular file of whole pages of %lu bytes is one",
			       image, UMIG_PAGE_SIZE);
	mk->head.pages = st.st_size / UMIG_PAGE_SIZE;
	return 0;
}

static int open_index(struct maker *mk, const char *image, struct err *err)
{
	if (snprintf(mk->path, sizeof(mk->path), "%s" IMAGE_INDEX_SUFFIX,
		     image) >= (int)sizeof(mk->path) ||
	    snprintf(mk->work, sizeof(mk->work), "%s.XXXXXX", mk->path) >=
		    (int)sizeof(mk->work)) {
		mk->work[0] = '\0';
		return err_set(err, -ENAMETOOLONG, "%s: too long", image);
	}
	mk->index = mkostemp(mk->work, O_CLOEXEC);	/* mode 0600 */
	if (mk->index >= 0)
		return 0;
	mk->work[0] = '\0';
	return err_set(err, -errno, "%s: %s", mk->path, strerror(errno));
}

static int write_all(int fd, const void *data, size_t bytes)
{
	size_t at = 0;
	ssize_t n;

	while (at < bytes) {
		n = write(fd, (const uint8_t *)data + at, bytes - at);
		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? n : 0;
	}
	return 0;
}

static int write_head(struct maker *mk)
{
	uint8_t head[IMAGE_HEAD_BYTES];

	randombytes_buf(mk->head.seed, sizeof(mk->head.seed));
	domain_key_id(mk->key, mk->head.key_id);
	page_sum_key_init(&mk->sum_key, mk->head.seed);
	image_head_encode(head, &mk->head);
	return write_all(mk->index, head, sizeof(head));
}

static void make_record(struct maker *mk, const uint8_t *page,
			struct image_record *record)
{
	*record = (struct image_record){ 0 };
	if (page_is_zero(page)) {
		mk->zero++;
		return;
	}
	domain_key_digest(mk->key, page, record->digest.b);
	record->sum = page_sum(&mk->sum_key, page);
}

static int write_records(struct maker *mk, uint64_t first, unsigned int n)
{
	int64_t got = image_read(mk->image, mk->pages,
				 (uint64_t)n * UMIG_PAGE_SIZE,
				 first * UMIG_PAGE_SIZE);
	unsigned int i;

	if (got < 0)
		return got;
	if ((uint64_t)got != (uint64_t)n * UMIG_PAGE_SIZE)
		return -ENODATA;	/* it was cut short meanwhile */
	for (i = 0; i < n; i++)
		make_record(mk, mk->pages[i], &mk->records[i]);
	return write_all(mk->index, mk->records, n * sizeof(mk->records[0]));
}

static int write_index(struct maker *mk)
{
	uint64_t at, n;
	int rc = write_head(mk);

	for (at = 0; at < mk->head.pages && !rc; at += n) {
		n = mk->head.pages - at;
		if (n > IMAGE_BATCH)
			n = IMAGE_BATCH;
		rc = write_records(mk, at, n);
	}
	if (!rc && fsync(mk->index))
		rc = -errno;
	return rc;
}

/* A name is durable once its directory is. */
static int publish(struct maker *mk)
{
	char copy[PATH_MAX];
	int fd, rc = 0;

	if (rename(mk->work, mk->path))
		return -errno;
	mk->work[0] = '\0';
	strcpy(copy, mk->path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd))
		rc = -errno;
	close(fd);
	return rc;
}

static int make(struct maker *mk, const char *image, struct err *err)
{
	int rc = open_image(mk, image, err);

	if (!rc)
		rc = open_index(mk, image, err);
	if (rc)
		return rc;
	rc = write_index(mk);
	if (!rc)
		rc = publish(mk);
	return rc ? err_set(err, rc, "%s: %s", mk->path, strerror(-rc)) : 0;
}

int image_index_make(const char *image, const uint8_t key[UMIG_KEY_SIZE],
		     struct image_made *made, struct err *err)
{
	struct maker *mk = aligned_alloc(UMIG_PAGE_SIZE,
					 (sizeof(*mk) + UMIG_PAGE_SIZE - 1) &
					 ~(UMIG_PAGE_SIZE - 1));
	int rc;

	if (!mk)
		return err_set(err, -ENOMEM, "out of memory");
	mk->image = -1;
	mk->index = -1;
	mk->path[0] = mk->work[0] = '\0';
	mk->key = key;
	mk->zero = 0;
	rc = make(mk, image, err);
	if (mk->work[0])
		unlink(mk->work);
	if (mk->index >= 0)
		close(mk->index);
	if (mk->image >= 0)
		close(mk->image);
	*made = (struct image_made){
		.pages = rc ? 0 : mk->head.pages,
		.zero = rc ? 0 : mk->zero,
	};
	free(mk);
	return rc;
}
