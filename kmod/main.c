// SPDX-License-Identifier: GPL-2.0
/*
 * umig: an index of the pages that KSM has merged.  Parameters, and the order
 * in which the parts come and go; everything else is in the parts.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#include "account.h"
#include "adopt.h"
#include "blake2b.h"
#include "chardev.h"
#include "compat/compat.h"
#include "debug.h"
#include "group.h"
#include "hasher.h"
#include "health.h"
#include "hook.h"
#include "hotplug.h"
#include "index.h"
#include "key.h"
#include "ksm.h"
#include "lease.h"
#include "params.h"
#include "procmem.h"
#include "unshare.h"

/**
 * DOC: Loading
 *
 * Whatever may refuse this kernel comes first.  The hooks are attached before
 * stock is taken, so that no node falls between the two; the worker and the
 * clock start when both are done; the device appears last.
 */

/**
 * DOC: Unloading
 *
 * 1. The device goes.  No file is open, or the module's reference count would
 *    have refused the unloading; so no ioctl runs and no lease exists.
 * 2. The shrinkers and the clock stop: nobody asks the worker for anything now
 *    but the hooks.
 * 3. The hooks are detached.  unregister_kprobes() waits until no handler
 *    runs, so nobody fills the queue or raises the irq_work any more.  So is the
 *    probe of KSM's tracepoint.
 * 4. The worker stops.  It holds references to pages for microseconds only.
 * 5. The memory notifier goes, after the last one who looked at struct pages
 *    by number.
 * 6. What has been shared and KSM doesn't know yet is copied (unshare.c).
 * 7. Memory is freed: the irq_work has been waited for, rcu_barrier() waits for
 *    entries that are still on their way.  The mm_structs of groups' members
 *    and of those whom pages were shared with are let go: no file is left that
 *    could ask about them.
 *
 * A load that fails takes the same steps from where it got to.
 */

/* Far from DEFAULT_SEEKS: an entry is dear to make again. */
#define SHRINKER_SEEKS		64
/* A lease that is taken back costs its owner one page more on the network. */
#define LEASE_SHRINKER_SEEKS	16

static unsigned int index_limit_mb;
module_param(index_limit_mb, uint, 0444);
MODULE_PARM_DESC(index_limit_mb,
		 "memory for the index in MiB (default: 1/64 of all memory)");

static unsigned int queue_len = 32768;
module_param(queue_len, uint, 0444);
MODULE_PARM_DESC(queue_len,
		 "events of KSM that may wait, 16 to 1048576 (default: 32768)");

static int set_positive(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 1, INT_MAX);
}

static const struct kernel_param_ops positive_ops = {
	.set = set_positive,
	.get = param_get_uint,
};

unsigned int umig_lease_ttl_ms = 120000;
__MODULE_PARM_TYPE(lease_ttl_ms, "uint");
module_param_cb(lease_ttl_ms, &positive_ops, &umig_lease_ttl_ms, 0644);
MODULE_PARM_DESC(lease_ttl_ms,
		 "take back a lease not used for this long (default: 120000)");

unsigned int umig_lease_grace_ms = 10000;
__MODULE_PARM_TYPE(lease_grace_ms, "uint");
module_param_cb(lease_grace_ms, &positive_ops, &umig_lease_grace_ms, 0644);
MODULE_PARM_DESC(lease_grace_ms,
		 "the same when memory is short (default: 10000)");

unsigned int umig_leases_per_file = 262144;
__MODULE_PARM_TYPE(leases_per_file, "uint");
module_param_cb(leases_per_file, &positive_ops, &umig_leases_per_file, 0644);
MODULE_PARM_DESC(leases_per_file,
		 "leases that an open file may hold (default: 262144)");

unsigned int umig_leases_per_uid = 786432;
__MODULE_PARM_TYPE(leases_per_uid, "uint");
module_param_cb(leases_per_uid, &positive_ops, &umig_leases_per_uid, 0644);
MODULE_PARM_DESC(leases_per_uid,
		 "leases that all files of a user may hold (default: 786432)");

unsigned int umig_leases_total = 1048576;
__MODULE_PARM_TYPE(leases_total, "uint");
module_param_cb(leases_total, &positive_ops, &umig_leases_total, 0644);
MODULE_PARM_DESC(leases_total,
		 "leases that all files together may hold (default: 1048576)");

/* One call never costs more than a second. */
static int set_rate(const char *val, const struct kernel_param *kp)
{
	unsigned int rate;
	int err = kstrtouint(val, 0, &rate);

	if (err)
		return err;
	if (rate && rate < UMIG_MAX_BATCH)
		return -EINVAL;
	return param_set_uint(val, kp);
}

static const struct kernel_param_ops rate_ops = {
	.set = set_rate,
	.get = param_get_uint,
};

unsigned int umig_confirm_rate = 1000000;
__MODULE_PARM_TYPE(confirm_rate, "uint");
module_param_cb(confirm_rate, &rate_ops, &umig_confirm_rate, 0644);
MODULE_PARM_DESC(confirm_rate,
		 "digests that a user may ask for in a second, 1024 or more, 0: no limit (default: 1000000)");

unsigned int umig_members_total = 65536;
__MODULE_PARM_TYPE(members_total, "uint");
module_param_cb(members_total, &positive_ops, &umig_members_total, 0644);
MODULE_PARM_DESC(members_total,
		 "processes that may be in trust groups (default: 65536)");
bool umig_share;
module_param_named(share, umig_share, bool, 0644);
MODULE_PARM_DESC(share,
		 "SHARE maps merged pages instead of copying them (default: N)");

#ifdef UMIG_DEBUG
unsigned int umig_debug_break;
module_param_named(debug_break, umig_debug_break, uint, 0644);
MODULE_PARM_DESC(debug_break,
		 "what to break, for tests: 1 remove, 2 insert, 4 pfn, 8 layout, 16 symbol, 32 sharers, 64 merge, 128 version");
#endif

static struct shrinker *shrinker;
static struct shrinker *lease_shrinker;

static unsigned long shrink_count(struct shrinker *s,
				  struct shrink_control *sc)
{
	struct umig_index_usage usage;

	umig_index_usage(&usage);
	return usage.hashed + usage.unhashed ?: SHRINK_EMPTY;
}

static unsigned long shrink_scan(struct shrinker *s, struct shrink_control *sc)
{
	return umig_index_evict(sc->nr_to_scan);
}

static unsigned long lease_shrink_count(struct shrinker *s,
					struct shrink_control *sc)
{
	return umig_lease_count() ?: SHRINK_EMPTY;
}

static unsigned long lease_shrink_scan(struct shrinker *s,
				       struct shrink_control *sc)
{
	return umig_lease_reclaim(sc->nr_to_scan) ?: SHRINK_STOP;
}

static int register_shrinkers(void)
{
	shrinker = umig_shrinker_register(shrink_count, shrink_scan,
					  SHRINKER_SEEKS);
	if (!shrinker)
		return -ENOMEM;
	lease_shrinker = umig_shrinker_register(lease_shrink_count,
						lease_shrink_scan,
						LEASE_SHRINKER_SEEKS);
	if (lease_shrinker)
		return 0;
	umig_shrinker_unregister(shrinker);
	return -ENOMEM;
}

static void unregister_shrinkers(void)
{
	umig_shrinker_unregister(lease_shrinker);
	umig_shrinker_unregister(shrinker);
}

static unsigned long limit_bytes(void)
{
	if (index_limit_mb)
		return (unsigned long)index_limit_mb << 20;
	return (totalram_pages() << PAGE_SHIFT) / 64;
}

static int check_and_allocate(void)
{
	int err;

	if (queue_len < 16 || queue_len > 1048576) {
		pr_err("queue_len=%u: must be 16 to 1048576\n", queue_len);
		return -EINVAL;
	}
	err = umig_compat_check_kernel();
	if (err)
		return err;
	err = umig_blake2b_selftest();
	if (err) {
		pr_err("BLAKE2b doesn't give the digests that it must: %d: the module is miscompiled\n",
		       err);
		return err;
	}
	err = umig_index_init(limit_bytes());
	if (err == -EINVAL)
		pr_err("%lu bytes are too few for an index: give more (index_limit_mb=)\n",
		       limit_bytes());
	if (err)
		return err;
	err = umig_lease_init();
	if (err)
		goto exit_index;
	err = umig_hook_init(queue_len);
	if (err)
		goto exit_lease;
	err = umig_hasher_init();
	if (err)
		goto exit_hook;
	return 0;

exit_hook:
	umig_hook_exit();
exit_lease:
	umig_lease_exit();
exit_index:
	umig_index_exit();
	return err;
}

static void free_all(void)
{
	umig_hasher_exit();
	umig_hook_exit();
	umig_lease_exit();
	umig_index_exit();
	umig_group_exit();
	umig_account_exit();
	umig_unshare_exit();
	umig_adopt_exit();
	umig_key_wipe();
}

static int attach_hooks(void)
{
	int err;

	err = umig_health_init();
	if (err)
		return err;
	err = umig_hook_register();
	if (err)
		umig_health_exit();
	return err;
}

/* A kernel that can't be hooked is of use without, if it has KSM at all. */
static int attach_or_do_without(void)
{
	int err;

	umig_ksm_init();
	if (!umig_ksm_is_there()) {
		pr_err("there is no /sys/kernel/mm/ksm: this kernel has no KSM (CONFIG_KSM), so there is nothing to do\n");
		return -EOPNOTSUPP;
	}
	err = attach_hooks();
	if (err != -EOPNOTSUPP)
		return err;
	umig_health_do_without();
	return 0;
}

static int attach(void)
{
	int err;

	err = umig_hotplug_init();
	if (err)
		return err;
	umig_procmem_init();
	err = attach_or_do_without();
	if (err)
		goto exit_hotplug;
	err = umig_hasher_take_stock();
	if (err)
		goto unregister;
	return 0;

unregister:
	umig_hook_unregister();
	umig_health_exit();
exit_hotplug:
	umig_hotplug_exit();
	return err;
}

static int start(void)
{
	int err;

	err = umig_hasher_start();
	if (err)
		goto unregister_hook;
	umig_health_start();
	err = register_shrinkers();
	if (err)
		goto stop;
	err = umig_chardev_init();
	if (err)
		goto unregister_shrinkers;
	return 0;

unregister_shrinkers:
	unregister_shrinkers();
stop:
	umig_health_stop();
	umig_hook_unregister();
	umig_hasher_stop();
	return err;

unregister_hook:
	umig_hook_unregister();
	return err;
}

static int __init umig_init(void)
{
	int err;

	err = check_and_allocate();
	if (err)
		return err;
	err = attach();
	if (err)
		goto free;
	err = start();
	if (err)
		goto detach;
	umig_health_check();
	return 0;

detach:
	/* start() has taken the hooks off: they go before the worker. */
	umig_health_exit();
	umig_hotplug_exit();
free:
	free_all();
	return err;
}
module_init(umig_init);

static void __exit umig_exit(void)
{
	umig_chardev_exit();
	unregister_shrinkers();
	umig_health_stop();
	umig_hook_unregister();
	umig_hasher_stop();
	umig_health_exit();
	umig_hotplug_exit();
	free_all();
}
module_exit(umig_exit);

MODULE_DESCRIPTION("Index of the pages that KSM has merged, for migration");
MODULE_AUTHOR("The umig authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");
