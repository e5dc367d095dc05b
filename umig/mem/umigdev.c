// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/umig as C functions: see umigdev.h.
 */
#include "mem/umigdev.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mem/memslots.h"

static int dev_ioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

static uint64_t user_ptr(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static int open_failed(int error, struct err *err)
{
	switch (error) {
	case -ENOENT:
	case -ENXIO:
	case -ENODEV:
		return err_set(err, -ENOENT,
			       UMIGDEV_PATH ": no such device: the kernel module isn't loaded (load it: modprobe umig, or insmod umig.ko)");
	case -EACCES:
	case -EPERM:
		return err_set(err, -EACCES,
			       UMIGDEV_PATH ": permission denied (run as root, or as a member of the group that owns the device)");
	default:
		return err_set(err, error, UMIGDEV_PATH ": can't be opened: %s",
			       strerror(-error));
	}
}

static int check_abi(int fd, struct err *err)
{
	struct umig_info info;
	int ret = umigdev_info(fd, &info);

	if (ret == -ENOTTY)
		return err_set(err, -EPROTO,
			       UMIGDEV_PATH ": isn't the umig module's device");
	if (ret)
		return err_set(err, ret, UMIGDEV_PATH ": INFO failed: %s",
			       strerror(-ret));
	if (info.abi_version != UMIG_ABI_VERSION)
		return err_set(err, -EPROTO,
			       UMIGDEV_PATH ": the module speaks ABI version %u, this umig %u (install module and umig of the same release)",
			       info.abi_version, UMIG_ABI_VERSION);
	if (info.page_size != UMIG_PAGE_SIZE ||
	    info.hash_alg != UMIG_HASH_BLAKE2B_256_KEYED || !info.max_batch)
		return err_set(err, -EPROTO,
			       UMIGDEV_PATH ": page size %u, hash %u, batch %u: not what this umig can use",
			       info.page_size, info.hash_alg, info.max_batch);
	return 0;
}

int umigdev_open(struct err *err)
{
	int fd = open(UMIGDEV_PATH, O_RDWR | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return open_failed(-errno, err);
	ret = check_abi(fd, err);
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}

int umigdev_info(int fd, struct umig_info *out)
{
	*out = (struct umig_info){ .size = sizeof(*out) };
	return dev_ioctl(fd, UMIG_IOC_INFO, out);
}

bool umigdev_has_key(const struct umig_info *info)
{
	static const uint8_t none[UMIG_KEY_ID_SIZE];

	return memcmp(info->key_id, none, sizeof(none)) != 0;
}

int umigdev_set_key(int fd, const uint8_t key[UMIG_KEY_SIZE], struct err *err)
{
	struct umig_set_key arg = { .size = sizeof(arg) };
	int ret;

	memcpy(arg.key, key, sizeof(arg.key));
	ret = dev_ioctl(fd, UMIG_IOC_SET_KEY, &arg);
	explicit_bzero(&arg, sizeof(arg));
	switch (ret) {
	case 0:
		return 0;
	case -EPERM:
		return err_set(err, ret,
			       "the key can't be loaded: CAP_SYS_ADMIN is needed (run as root)");
	case -EINVAL:
		return err_set(err, ret,
			       "the module refuses this key: is it all zero? (make one with: umig index gen-key)");
	default:
		return err_set(err, ret, "the key can't be loaded: %s",
			       strerror(-ret));
	}
}

int umigdev_join(int fd, const char *name, const uint8_t id[UMIG_GROUP_SIZE],
		 struct err *err)
{
	struct umig_join arg = { .size = sizeof(arg) };
	int ret;

	memcpy(arg.group, id, sizeof(arg.group));
	ret = dev_ioctl(fd, UMIG_IOC_JOIN, &arg);
	switch (ret) {
	case 0:
		return 0;
	case -ENOTTY:
	case -EOPNOTSUPP:
		return err_set(err, -EOPNOTSUPP,
			       "group %s: the kernel module that is loaded can't keep groups apart (load the module of this release, or unload it, or go without a group)",
			       name);
	case -EBUSY:
		return err_set(err, ret,
			       "group %s: this process is of another group already",
			       name);
	default:
		return err_set(err, ret, "group %s: it can't be joined: %s",
			       name, strerror(-ret));
	}
}

static int rescan_failed(const char *file, int error, struct err *err)
{
	const char *remedy = "";

	if (error == -ENOENT)
		remedy = " (load the module: modprobe umig, or insmod umig.ko)";
	else if (error == -EACCES)
		remedy = " (run as root)";
	return err_set(err, error, "%s: %s%s", file, strerror(-error), remedy);
}

int umigdev_rescan(const char *file, struct err *err)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return rescan_failed(file, -errno, err);
	if (write(fd, "1", 1) != 1)
		rc = rescan_failed(file, -errno, err);
	close(fd);
	return rc;
}

int umigdev_stat(int fd, struct umig_stat *out)
{
	*out = (struct umig_stat){ .size = sizeof(*out) };
	return dev_ioctl(fd, UMIG_IOC_STAT, out);
}

int umigdev_range(int fd, const void *addr, uint32_t *pages,
		  struct umig_run *runs, uint32_t *nr_runs,
		  void *digests, uint32_t *nr_digests)
{
	struct umig_range arg = {
		.size = sizeof(arg),
		.mem_fd = -1,
		.nr_pages = *pages,
		.addr = user_ptr(addr),
		.runs = user_ptr(runs),
		.digests = user_ptr(digests),
		.nr_runs = *nr_runs,
		.nr_digests = *nr_digests,
	};
	int ret = dev_ioctl(fd, UMIG_IOC_RANGE, &arg);

	if (ret)
		return ret;
	*pages = arg.nr_pages;
	*nr_runs = arg.nr_runs;
	*nr_digests = arg.nr_digests;
	return 0;
}

int umigdev_confirm(int fd, const void *digests, uint32_t nr,
		    uint32_t *leases)
{
	struct umig_confirm arg = {
		.size = sizeof(arg),
		.digests = user_ptr(digests),
		.leases = user_ptr(leases),
		.nr = nr,
	};
	int ret = dev_ioctl(fd, UMIG_IOC_CONFIRM, &arg);

	return ret ? ret : (int)arg.nr_held;
}

int umigdev_fill(int fd, struct umig_fill_item *items, uint32_t nr)
{
	struct umig_fill arg = {
		.size = sizeof(arg),
		.items = user_ptr(items),
		.nr = nr,
	};
	int ret = dev_ioctl(fd, UMIG_IOC_FILL, &arg);

	return ret ? ret : (int)arg.nr_filled;
}

int umigdev_share(int fd, struct umig_fill_item *items, uint32_t nr)
{
	struct umig_share arg = {
		.size = sizeof(arg),
		.items = user_ptr(items),
		.nr = nr,
	};
	int ret = dev_ioctl(fd, UMIG_IOC_SHARE, &arg);

	return ret ? ret : (int)arg.nr_filled;
}

int umigdev_release(int fd, const uint32_t *leases, uint32_t nr)
{
	struct umig_release arg = {
		.size = sizeof(arg),
		.leases = user_ptr(leases),
		.nr = nr,
	};
	int ret = dev_ioctl(fd, UMIG_IOC_RELEASE, &arg);

	return ret ? ret : (int)arg.nr_released;
}

int umigdev_release_all(int fd)
{
	struct umig_release arg = {
		.size = sizeof(arg),
		.flags = UMIG_RELEASE_ALL,
	};
	int ret = dev_ioctl(fd, UMIG_IOC_RELEASE, &arg);

	return ret ? ret : (int)arg.nr_released;
}
