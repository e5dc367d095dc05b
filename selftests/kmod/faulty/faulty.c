// SPDX-License-Identifier: GPL-2.0
/*
 * A module that is as wrong as umig must never be: each value of its parameter
 * is one mistake, made when it is loaded.  It is the negative control of the run
 * on the debug kernel, and goes nowhere else.
 */
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

static char *mistake = "";
module_param(mistake, charp, 0);
MODULE_PARM_DESC(mistake, "which: warn, atomic, freed, bounds, rcu, leak or order");

static DEFINE_SPINLOCK(spin);
static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);

static int made_warn(void)
{
	return WARN_ON(mistake);
}

static int sleep_in_atomic(void)
{
	spin_lock(&spin);
	might_sleep();
	spin_unlock(&spin);
	return 0;
}

/* Not so plain that the compiler sees it. */
static noinline int look_at(const char *p, size_t i)
{
	return READ_ONCE(p[i]);
}

static int use_after_free(void)
{
	char *p = kzalloc(100, GFP_KERNEL);

	kfree(p);
	return p ? look_at(p, 5) & 0 : 0;
}

static int out_of_bounds(void)
{
	char *p = kzalloc(100, GFP_KERNEL);
	int ret = p ? look_at(p, 100) & 0 : 0;

	kfree(p);
	return ret;
}

static int dereference_without_rcu(void)
{
	static char __rcu *pointer;

	return rcu_dereference(pointer) ? 0 : 0;
}

static int leak(void)
{
	unsigned int i;

	/* One may be found on a stack that nobody has cleared. */
	for (i = 0; i < 10; i++)
		pr_info("faulty: forgets something%s\n",
			kzalloc(300 + i, GFP_KERNEL) ? "" : " that isn't");
	return 0;
}

static int lock_against_order(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
	return 0;
}

static const struct {
	const char *name;
	int (*make)(void);
} mistakes[] = {
	{ "warn", made_warn },
	{ "atomic", sleep_in_atomic },
	{ "freed", use_after_free },
	{ "bounds", out_of_bounds },
	{ "rcu", dereference_without_rcu },
	{ "leak", leak },
	{ "order", lock_against_order },
};

static int __init faulty_init(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(mistakes); i++) {
		if (strcmp(mistake, mistakes[i].name))
			continue;
		mistakes[i].make();
		return 0;
	}
	return -EINVAL;
}
module_init(faulty_init);

static void __exit faulty_exit(void)
{
}
module_exit(faulty_exit);

MODULE_DESCRIPTION("Mistakes that a debug kernel must notice");
MODULE_LICENSE("GPL");
