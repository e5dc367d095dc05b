// SPDX-License-Identifier: GPL-2.0
/*
 * KSM's settings and its own way of merging two pages, neither of which it
 * exports.
 *
 * A setting is read as sysfs would read it: by the attribute's show function,
 * found once through the directory that KSM has made.  These attributes belong
 * to the kernel itself and never go away.
 *
 * The merging function is static in the kernel.  A kprobe that is registered for
 * an instant tells where it is.  It is never armed: disarming takes memory, and
 * where there is none the kernel leaves the probe in its tables for good.  The
 * function is called through a static call, which is a direct branch: indirect
 * ones are refused on hardware with IBT.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "ksm.h"

#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/kernfs.h>
#include <linux/kobject.h>
#include <linux/kprobes.h>
#include <linux/static_call.h>
#include <linux/sysfs.h>

#include "debug.h"
#include "stable_tree.h"

static const char * const setting_names[UMIG_NR_KSM_SETTINGS] = {
	[UMIG_KSM_RUN] = "run",
	[UMIG_KSM_MAX_PAGE_SHARING] = "max_page_sharing",
	[UMIG_KSM_MERGE_ACROSS_NODES] = "merge_across_nodes",
};

/* Immutable after init; NULL where this kernel has no such setting. */
static struct kobj_attribute *settings[UMIG_NR_KSM_SETTINGS];
static struct kobject *settings_kobj;
static bool can_merge;

typedef int umig_ksm_merge_fn(struct vm_area_struct *vma, struct page *page,
			      struct page *merged);

static int merge_unknown(struct vm_area_struct *vma, struct page *page,
			 struct page *merged)
{
	return -EOPNOTSUPP;
}

DEFINE_STATIC_CALL(umig_ksm_merge_call, merge_unknown);

static struct kobj_attribute *find_setting(struct kernfs_node *dir,
					   const char *name)
{
	struct kobj_attribute *attr = NULL;
	struct kernfs_node *kn;

	kn = kernfs_find_and_get(dir, name);
	if (!kn)
		return NULL;
	if (kernfs_type(kn) == KERNFS_FILE)
		attr = container_of(kn->priv, struct kobj_attribute, attr);
	kernfs_put(kn);
	return attr;
}

static void find_settings_of(struct kernfs_node *mm)
{
	struct kernfs_node *dir = kernfs_find_and_get(mm, "ksm");
	int i;

	if (!dir)
		return;
	settings_kobj = mm->priv;
	for (i = 0; i < UMIG_NR_KSM_SETTINGS; i++)
		settings[i] = find_setting(dir, setting_names[i]);
	kernfs_put(dir);
}

/* /sys/kernel/mm/ksm.  mm_kobj isn't exported any more since 6.5. */
static void find_settings(void)
{
	struct kernfs_node *mm = kernfs_find_and_get(kernel_kobj->sd, "mm");

	if (!mm)
		return;
	find_settings_of(mm);
	kernfs_put(mm);
}

static void find_merge(void)
{
	struct kprobe probe = {
		.symbol_name = umig_ksm_merge_name,
		.flags = KPROBE_FLAG_DISABLED,
	};
	int err;

	if (umig_broken(UMIG_BREAK_MERGE))
		probe.symbol_name = "umig_no_such_function";
	err = register_kprobe(&probe);
	if (err) {
		pr_info("%s of the kernel's KSM isn't to be found (%d): SHARE copies pages\n",
			probe.symbol_name, err);
		return;
	}
	static_call_update(umig_ksm_merge_call,
			   (umig_ksm_merge_fn *)probe.addr);
	unregister_kprobe(&probe);
	can_merge = true;
}

/** umig_ksm_init() - Find what can be found; nothing of it is a must. */
void umig_ksm_init(void)
{
	find_settings();
	find_merge();
}

/**
 * umig_ksm_setting() - A setting's value now.
 * @setting: which.
 * @absent: the answer if this kernel hasn't that setting.
 *
 * Sleeps.
 *
 * Return: its value, which isn't negative, or -errno.
 */
long umig_ksm_setting(enum umig_ksm_setting setting, long absent)
{
	struct kobj_attribute *attr = settings[setting];
	unsigned long value;
	ssize_t len;
	char *text;
	long ret;

	if (!attr || !attr->show)
		return absent;
	/* A page, and aligned: what sysfs hands to show functions. */
	text = (char *)get_zeroed_page(GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	len = attr->show(settings_kobj, attr, text);
	ret = len < 0 ? len : kstrtoul(text, 10, &value);
	free_page((unsigned long)text);
	if (ret)
		return ret;
	return min_t(unsigned long, value, LONG_MAX);
}

/** umig_ksm_is_there() - Does this kernel have KSM? */
bool umig_ksm_is_there(void)
{
	return settings[UMIG_KSM_RUN];
}

/** umig_ksm_can_merge() - Has KSM's merging function been found? */
bool umig_ksm_can_merge(void)
{
	return can_merge;
}

/**
 * umig_ksm_merge() - Map a merged page instead of another with its content.
 * @vma: a mergeable mapping of a process, its mmap_lock held for reading.
 * @page: mapped there, with a reference of the caller's.
 * @merged: a KSM page with the caller's reference and lock.
 *
 * KSM write protects @page, compares, and replaces it if both are the same.
 *
 * Return: 0: @merged is mapped there now; else nothing has changed.
 */
int umig_ksm_merge(struct vm_area_struct *vma, struct page *page,
		   struct page *merged)
{
	return static_call(umig_ksm_merge_call)(vma, page, merged);
}
