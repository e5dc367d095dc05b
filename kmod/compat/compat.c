// SPDX-License-Identifier: GPL-2.0
/*
 * The kernels that this module knows, and the shims that don't fit a header.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "compat.h"

#include <linux/kernel.h>
#include <linux/slab.h>

#include <generated/utsrelease.h>

#include "debug.h"

/*
 * A version is listed here after KSM's functions, the layout of its stable
 * node and the "a held KSM page never changes" argument have been checked for
 * it, and the tests have passed on it.
 */
static const struct {
	unsigned int first;
	unsigned int next;	/* the first version that isn't known any more */
} known[] = {
	{ KERNEL_VERSION(6, 1, 0), KERNEL_VERSION(6, 2, 0) },
	{ KERNEL_VERSION(6, 12, 0), KERNEL_VERSION(6, 13, 0) },
	{ KERNEL_VERSION(7, 2, 0), KERNEL_VERSION(7, 4, 0) },
};

/**
 * umig_compat_check_kernel() - Refuse a kernel that hasn't been checked.
 *
 * A module is built for one kernel and loads only there, so what was compiled
 * in is what runs.
 *
 * Return: 0 or -EOPNOTSUPP.
 */
int umig_compat_check_kernel(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (LINUX_VERSION_CODE >= known[i].first &&
		    LINUX_VERSION_CODE < known[i].next &&
		    !umig_broken(UMIG_BREAK_VERSION))
			return 0;
	pr_err("kernel %s is not supported: its KSM hasn't been checked; this version works on 6.1, 6.12, 7.2 and 7.3\n",
	       UTS_RELEASE);
	return -EOPNOTSUPP;
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
struct shrinker *umig_shrinker_register(
	unsigned long (*count)(struct shrinker *, struct shrink_control *),
	unsigned long (*scan)(struct shrinker *, struct shrink_control *),
	int seeks)
{
	struct shrinker *shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);

	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->seeks = seeks;
	if (register_shrinker(shrinker, "umig")) {
		kfree(shrinker);
		return NULL;
	}
	return shrinker;
}

void umig_shrinker_unregister(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
	kfree(shrinker);
}
#endif
