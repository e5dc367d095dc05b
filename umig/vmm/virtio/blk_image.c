// SPDX-License-Identifier: GPL-2.0
/*
 * A disk's image: see blk_image.h.
 *
 * Where the storage allows it the page cache is passed by (O_DIRECT), so that
 * two hosts that use the same image one after the other see each other's
 * writes; elsewhere what this host has cached is dropped before use.
 */
#include "vmm/virtio/blk_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALIGNMENT 4096

/* Size of an open image; devices tell theirs by their end. */
static int image_size(int fd, const char *path, uint64_t *bytes,
		      struct err *err)
{
	struct stat st;
	off_t end;

	if (fstat(fd, &st))
		return err_set(err, -errno, "disk %s: %s", path,
			       strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(err, -EINVAL,
			       "disk %s: neither a file nor a block device",
			       path);
	end = lseek(fd, 0, SEEK_END);
	if (end < 0)
		return err_set(err, -errno, "disk %s: %s", path,
			       strerror(errno));
	if (!end || end % SECTOR_BYTES)
		return err_set(err, -EINVAL,
			       "disk %s: its size, %lld bytes, is not a multiple of 512: not a raw disk image",
			       path, (long long)end);
	*bytes = end;
	return 0;
}

/* Open to look at, close, and say what size it has. */
static int look(const char *path, uint64_t *bytes, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int ret;

	if (fd < 0)
		return err_set(err, -errno, "disk %s: %s", path,
			       strerror(errno));
	ret = image_size(fd, path, bytes, err);
	close(fd);
	return ret;
}

int blk_image_init(struct blk_image *image, const char *path, bool readonly,
		   struct err *err)
{
	*image = (struct blk_image){
		.path = strdup(path),
		.readonly = readonly,
		.fd = -1,
	};
	if (!image->path)
		return err_set(err, -ENOMEM, "out of memory");
	return look(path, &image->bytes, err);
}

void blk_image_exit(struct blk_image *image)
{
	blk_image_release(image);
	free(image->path);
	image->path = NULL;
}

static int same_size(const struct blk_image *image, uint64_t bytes,
		     struct err *err)
{
	if (bytes == image->bytes)
		return 0;
	return err_set(err, -ESTALE,
		       "disk %s: its size has changed from %llu to %llu bytes",
		       image->path, (unsigned long long)image->bytes,
		       (unsigned long long)bytes);
}

/* Whether another VM on this host has the image for itself. */
static int not_locked(const struct blk_image *image, struct err *err)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(image->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int ret;

	if (fd < 0)
		return err_set(err, -errno, "disk %s: %s", image->path,
			       strerror(errno));
	ret = fcntl(fd, F_OFD_GETLK, &all) ? 0 : all.l_type;
	close(fd);
	if (!ret || ret == F_UNLCK || image->fd >= 0)
		return 0;
	return err_set(err, -EBUSY, "disk %s: in use by another VM",
		       image->path);
}

int blk_image_check(const struct blk_image *image, struct err *err)
{
	uint64_t bytes = 0;
	int ret = look(image->path, &bytes, err);

	if (!ret)
		ret = same_size(image, bytes, err);
	if (!ret && !image->readonly && access(image->path, W_OK))
		ret = err_set(err, -errno, "disk %s: not writable: %s",
			      image->path, strerror(errno));
	if (!ret && !image->readonly)
		ret = not_locked(image, err);
	return ret;
}

/* Whether it takes O_DIRECT at all, and for single sectors. */
static bool direct_works(int fd)
{
	void *buf = aligned_alloc(ALIGNMENT, ALIGNMENT);
	bool works;

	if (!buf)
		return false;
	works = pread(fd, buf, SECTOR_BYTES, 0) == SECTOR_BYTES;
	free(buf);
	return works;
}

static int open_for_use(struct blk_image *image)
{
	int flags = (image->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC;
	int fd = open(image->path, flags | O_DIRECT);

	image->direct = fd >= 0 && direct_works(fd);
	if (image->direct)
		return fd;
	if (fd >= 0)
		close(fd);
	fd = open(image->path, flags);
	if (fd < 0)
		return -errno;
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return fd;
}

static int lock(const struct blk_image *image, int fd, struct err *err)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (image->readonly || !fcntl(fd, F_OFD_SETLK, &all))
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return err_set(err, -EBUSY,
			       "disk %s: in use by another VM: end that first, or give both the disk read-only",
			       image->path);
	return err_set(err, -errno, "disk %s: it can't be locked: %s",
		       image->path, strerror(errno));
}

int blk_image_acquire(struct blk_image *image, struct err *err)
{
	uint64_t bytes = 0;
	int fd, ret;

	if (image->fd >= 0)
		return 0;
	fd = open_for_use(image);
	if (fd < 0)
		return err_set(err, fd, "disk %s: %s", image->path,
			       strerror(-fd));
	ret = lock(image, fd, err);
	if (!ret)
		ret = image_size(fd, image->path, &bytes, err);
	if (!ret)
		ret = same_size(image, bytes, err);
	if (ret)
		close(fd);
	else
		image->fd = fd;
	return ret;
}

void blk_image_release(struct blk_image *image)
{
	if (image->fd >= 0)
		close(image->fd);
	image->fd = -1;
}
