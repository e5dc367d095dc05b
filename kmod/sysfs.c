// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/class/misc/umig, described in Documentation/ABI/testing/sysfs-umig:
 * the state of the index, a file for each counter of STAT in stat/, and rescan.
 * The files belong to the device: it waits for readers when it goes.
 *
 * What KSM tells everybody anyway is for everybody; the counters, which tell
 * who migrates what, are root's, as the device is.
 */
#include "sysfs.h"

#include <linux/device.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include <linux/umig.h>

#include "hasher.h"
#include "health.h"
#include "index.h"
#include "key.h"
#include "stats.h"

static ssize_t mode_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  umig_health_check() ? "hooks" : "scan");
}
static DEVICE_ATTR_RO(mode);

/* An empty line: no key. */
static ssize_t key_id_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	u8 id[UMIG_KEY_ID_SIZE];

	umig_key_id(id);
	if (!memchr_inv(id, 0, sizeof(id)))
		return sysfs_emit(buf, "\n");
	return sysfs_emit(buf, "%*phN\n", (int)sizeof(id), id);
}
static DEVICE_ATTR_ADMIN_RO(key_id);

/* The index's gauges, each a field of its usage. */
#define USAGE_ATTR(_name, _value)					\
static ssize_t _name##_show(struct device *dev,				\
			    struct device_attribute *attr, char *buf)	\
{									\
	struct umig_index_usage usage;					\
									\
	umig_index_usage(&usage);					\
	return sysfs_emit(buf, "%llu\n", _value);			\
}									\
static DEVICE_ATTR_RO(_name)

USAGE_ATTR(generation, usage.generation);
USAGE_ATTR(hashed_pages, usage.hashed);
USAGE_ATTR(merged_pages, usage.hashed + usage.unhashed);
USAGE_ATTR(index_bytes, usage.bytes);
USAGE_ATTR(index_limit_bytes, usage.limit_bytes);

/* One scan at a time, and one more that is wanted meanwhile. */
static ssize_t rescan_store(struct device *dev, struct device_attribute *attr,
			    const char *buf, size_t len)
{
	unsigned int one;
	int err = kstrtouint(buf, 0, &one);

	if (err)
		return err;
	if (one != 1)
		return -EINVAL;
	umig_hasher_want_scan();
	return len;
}
static DEVICE_ATTR_WO(rescan);

static struct attribute *index_attrs[] = {
	&dev_attr_mode.attr,
	&dev_attr_key_id.attr,
	&dev_attr_generation.attr,
	&dev_attr_hashed_pages.attr,
	&dev_attr_merged_pages.attr,
	&dev_attr_index_bytes.attr,
	&dev_attr_index_limit_bytes.attr,
	&dev_attr_rescan.attr,
	NULL
};

static const struct attribute_group index_group = {
	.attrs = index_attrs,
};

/* Every field of struct umig_stat but size and flags. */
#define EACH_STAT(_)							\
	_(hook_inserts) _(hook_removes) _(hook_moves) _(queue_lost)	\
	_(queue_len) _(rescans) _(hashed) _(hash_stale) _(evicted)	\
	_(hook_misses) _(canary_fails) _(range_pages) _(range_merged)	\
	_(confirm_asked) _(confirm_held) _(lease_rehashed)		\
	_(lease_mismatch) _(leases) _(lease_expired) _(lease_released)	\
	_(filled) _(fill_failed) _(lease_converted)			\
	_(confirm_other_group) _(confirm_busy) _(group_members)		\
	_(confirm_throttled) _(lease_refused) _(lease_reclaimed)		\
	_(shared) _(share_copied) _(share_retried) _(share_adopted)	\
	_(crosscheck_fails)

static ssize_t stat_show(struct device *dev, struct device_attribute *attr,
			 char *buf);

#define STAT_ATTR(_name)						\
static struct dev_ext_attribute stat_##_name = {			\
	.attr = __ATTR(_name, 0400, stat_show, NULL),			\
	.var = (void *)offsetof(struct umig_stat, _name),		\
};
EACH_STAT(STAT_ATTR)

static ssize_t stat_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	struct dev_ext_attribute *ext =
		container_of(attr, struct dev_ext_attribute, attr);
	struct umig_stat stat = {};

	umig_stats_get(&stat);
	return sysfs_emit(buf, "%llu\n",
			  *(u64 *)((char *)&stat + (unsigned long)ext->var));
}

#define STAT_ENTRY(_name) &stat_##_name.attr.attr,
static struct attribute *stat_attrs[] = {
	EACH_STAT(STAT_ENTRY)
	NULL
};

/* A counter that is added to STAT is added here. */
static_assert(ARRAY_SIZE(stat_attrs) - 1 ==
	      (sizeof(struct umig_stat) -
	       offsetof(struct umig_stat, hook_inserts)) / sizeof(u64));

static const struct attribute_group stat_group = {
	.name = "stat",
	.attrs = stat_attrs,
};

const struct attribute_group *umig_sysfs_groups[] = {
	&index_group,
	&stat_group,
	NULL
};
