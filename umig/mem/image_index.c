// SPDX-License-Identifier: GPL-2.0
/*
 * The index of an image, read: see image_index.h.
 */
#include "mem/image_index.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int64_t image_read(int fd, void *to, uint64_t bytes, uint64_t offset)
{
	uint64_t at = 0;
	ssize_t n;

	while (at < bytes) {
		n = pread(fd, (uint8_t *)to + at, bytes - at, offset + at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		at += n;
	}
	return at;
}

static int read_head(struct image_index *ix, const char *path, struct err *err)
{
	uint8_t data[IMAGE_HEAD_BYTES];
	struct err why = { 0 };
	struct stat st;
	int64_t n;
	int rc;

	if (fstat(ix->fd, &st))
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "%s: is no regular file", path);
	n = image_read(ix->fd, data, sizeof(data), 0);
	if (n < 0)
		return err_set(err, n, "%s: %s", path, strerror(-n));
	rc = image_head_decode(data, n, st.st_size, &ix->head, &why);
	return rc ? err_set(err, rc, "%s: %s", path, err_text(&why)) : 0;
}

int image_index_open(struct image_index *ix, const char *image,
		     struct err *err)
{
	char path[PATH_MAX];
	int rc;

	*ix = (struct image_index){ .fd = -1 };
	if (snprintf(path, sizeof(path), "%s" IMAGE_INDEX_SUFFIX, image) >=
	    (int)sizeof(path))
		return err_set(err, -ENAMETOOLONG, "%s: too long", image);
	/* not to wait for the other end of a pipe of that name */
	ix->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (ix->fd < 0)
		return err_set(err, -errno, "%s: %s%s", path, strerror(errno),
			       errno == ENOENT ?
			       ": make it with: umig image index" : "");
	rc = read_head(ix, path, err);
	if (rc)
		image_index_close(ix);
	else
		page_sum_key_init(&ix->sum_key, ix->head.seed);
	return rc;
}

void image_index_close(struct image_index *ix)
{
	if (ix->fd >= 0)
		close(ix->fd);
	ix->fd = -1;
}

int image_index_read(const struct image_index *ix, uint64_t first,
		     unsigned int n, struct image_record *out)
{
	uint64_t bytes = n * sizeof(*out);
	int64_t got = image_read(ix->fd, out, bytes,
				 IMAGE_HEAD_BYTES + first * sizeof(*out));

	if (got < 0)
		return got;
	return (uint64_t)got == bytes ? 0 : -ENODATA;
}
