// SPDX-License-Identifier: GPL-2.0
/*
 * The device: open and close, and a table that leads each ioctl to its handler
 * after what is common to all has been checked: the argument's size, that what
 * this kernel doesn't know is zero, and that there is a key where one is
 * needed.  The small ioctls (INFO, SET_KEY, STAT) live here.
 *
 * The file operations name this module as their owner: while a file is open
 * the module can't be unloaded, so no handler ever races with the exit.
 */
#include "chardev.h"

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/kernel.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <linux/umig.h>

#include "events.h"
#include "group.h"
#include "hasher.h"
#include "health.h"
#include "index.h"
#include "key.h"
#include "params.h"
#include "share.h"
#include "stats.h"
#include "sysfs.h"

union umig_any_cmd {
	struct umig_info info;
	struct umig_set_key set_key;
	struct umig_range range;
	struct umig_confirm confirm;
	struct umig_fill fill;
	struct umig_release release;
	struct umig_stat stat;
	struct umig_join join;
	struct umig_share share;
	struct umig_events events;
};

/**
 * umig_ucmd_respond() - Give the argument back to the caller.
 * @ucmd: with its outputs filled in.
 *
 * Return: 0 or -EFAULT.
 */
int umig_ucmd_respond(struct umig_ucmd *ucmd)
{
	if (copy_to_user(ucmd->arg, ucmd->cmd,
			 min(ucmd->user_size, ucmd->cmd_size)))
		return -EFAULT;
	return 0;
}

static int ioctl_info(struct umig_ucmd *ucmd)
{
	struct umig_info *info = ucmd->cmd;
	struct umig_index_usage usage;

	if (info->flags)
		return -EINVAL;
	/* First: it may make another generation. */
	info->mode = umig_health_check() ? UMIG_MODE_HOOKS : UMIG_MODE_SCAN;
	umig_index_usage(&usage);
	info->abi_version = UMIG_ABI_VERSION;
	info->hash_alg = UMIG_HASH_BLAKE2B_256_KEYED;
	info->page_size = PAGE_SIZE;
	info->max_batch = UMIG_MAX_BATCH;
	info->lease_ttl_ms = READ_ONCE(umig_lease_ttl_ms);
	info->features = umig_group_works() ? UMIG_FEATURE_GROUPS : 0;
	info->features |= umig_share_works() ? UMIG_FEATURE_SHARE : 0;
	umig_key_id(info->key_id);
	info->generation = usage.generation;
	info->hashed_pages = usage.hashed;
	info->merged_pages = usage.hashed + usage.unhashed;
	info->index_bytes = usage.bytes;
	info->index_limit_bytes = usage.limit_bytes;
	return umig_ucmd_respond(ucmd);
}

static int ioctl_set_key(struct umig_ucmd *ucmd)
{
	struct umig_set_key *set = ucmd->cmd;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (set->flags || !memchr_inv(set->key, 0, sizeof(set->key)))
		return -EINVAL;
	umig_key_set(set->key);
	umig_hasher_kick();
	umig_events_wake();
	return 0;
}

static int ioctl_stat(struct umig_ucmd *ucmd)
{
	struct umig_stat *stat = ucmd->cmd;

	if (stat->flags)
		return -EINVAL;
	umig_stats_get(stat);
	return umig_ucmd_respond(ucmd);
}

#define NEEDS_KEY	BIT(0)

#define IOCTL_OP(_nr, _struct, _last, _flags, _fn)			\
	[_IOC_NR(_nr)] = {						\
		.nr = _nr,						\
		.size = sizeof(struct _struct),				\
		.min_size = offsetofend(struct _struct, _last),		\
		.flags = _flags,					\
		.fn = _fn,						\
	}

/* min_size: the struct as it was in the first version, for ever. */
static const struct {
	unsigned int nr;
	u32 size;
	u32 min_size;
	unsigned int flags;
	int (*fn)(struct umig_ucmd *ucmd);
} ops[] = {
	IOCTL_OP(UMIG_IOC_INFO, umig_info, index_limit_bytes, 0, ioctl_info),
	IOCTL_OP(UMIG_IOC_SET_KEY, umig_set_key, key, 0, ioctl_set_key),
	IOCTL_OP(UMIG_IOC_RANGE, umig_range, nr_digests, NEEDS_KEY,
		 umig_ioctl_range),
	IOCTL_OP(UMIG_IOC_CONFIRM, umig_confirm, nr_held, NEEDS_KEY,
		 umig_ioctl_confirm),
	IOCTL_OP(UMIG_IOC_FILL, umig_fill, nr_filled, NEEDS_KEY,
		 umig_ioctl_fill),
	IOCTL_OP(UMIG_IOC_RELEASE, umig_release, nr_released, NEEDS_KEY,
		 umig_ioctl_release),
	IOCTL_OP(UMIG_IOC_STAT, umig_stat, lease_converted, 0, ioctl_stat),
	IOCTL_OP(UMIG_IOC_JOIN, umig_join, group, 0, umig_ioctl_join),
	IOCTL_OP(UMIG_IOC_SHARE, umig_share, reserved, NEEDS_KEY,
		 umig_ioctl_share),
	IOCTL_OP(UMIG_IOC_EVENTS, umig_events, reserved, 0,
		 umig_ioctl_events),
};

static long umig_ioctl(struct file *file, unsigned int nr, unsigned long arg)
{
	struct umig_ucmd ucmd = {
		.file = file->private_data,
		.arg = (void __user *)arg,
	};
	unsigned int i = _IOC_NR(nr);
	union umig_any_cmd cmd;
	int err;

	if (i >= ARRAY_SIZE(ops))
		return -ENOTTY;
	i = array_index_nospec(i, ARRAY_SIZE(ops));
	if (ops[i].nr != nr)
		return -ENOTTY;
	if (get_user(ucmd.user_size, (u32 __user *)ucmd.arg))
		return -EFAULT;
	if (ucmd.user_size < ops[i].min_size)
		return -EINVAL;
	if (ucmd.user_size > PAGE_SIZE)
		return -E2BIG;

	ucmd.cmd = &cmd;
	ucmd.cmd_size = ops[i].size;
	err = copy_struct_from_user(&cmd, ucmd.cmd_size, ucmd.arg,
				    ucmd.user_size);
	if (err)
		return err;
	if (ops[i].flags & NEEDS_KEY && !umig_key_loaded())
		err = -ENOKEY;
	else
		err = ops[i].fn(&ucmd);
	/* It may have been a key. */
	memzero_explicit(&cmd, sizeof(cmd));
	return err;
}

static int umig_open(struct inode *inode, struct file *file)
{
	struct umig_file *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (!f)
		return -ENOMEM;
	f->account = umig_account_get(file->f_cred->uid);
	if (!f->account) {
		kfree(f);
		return -ENOMEM;
	}
	umig_leases_init(&f->leases, f->account);
	umig_seen_init(&f->seen);
	file->private_data = f;
	return 0;
}

static int umig_release(struct inode *inode, struct file *file)
{
	struct umig_file *f = file->private_data;

	umig_lease_put_all(&f->leases);
	xa_destroy(&f->leases.ids);
	umig_account_put(f->account);
	kfree(f);
	return 0;
}

/* Positions are opaque but for the beginning. */
static loff_t umig_llseek(struct file *file, loff_t offset, int whence)
{
	if (whence != SEEK_SET || offset)
		return -EINVAL;
	file->f_pos = 0;
	return 0;
}

static const struct file_operations umig_fops = {
	.owner = THIS_MODULE,
	.open = umig_open,
	.release = umig_release,
	.read = umig_export_read,
	.llseek = umig_llseek,
	.poll = umig_events_poll,
	.unlocked_ioctl = umig_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice umig_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "umig",
	.fops = &umig_fops,
	.mode = 0660,
	.groups = umig_sysfs_groups,
};

int umig_chardev_init(void)
{
	return misc_register(&umig_misc);
}

/** umig_chardev_exit() - No file is open, and none can be opened any more. */
void umig_chardev_exit(void)
{
	misc_deregister(&umig_misc);
}
