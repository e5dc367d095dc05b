// SPDX-License-Identifier: GPL-2.0
/*
 * Taking kprobes off, also where the kernel can't: disarming one may need memory,
 * and where there is none unregister_kprobes() leaves it in the kernel's tables
 * for good.  It says so by nothing but an address that is gone.  Such a probe is
 * left to the kernel: not in this module's memory, which goes, and without
 * anything that leads there.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "probe.h"

#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/rcupdate.h>

static bool is_stuck(const struct kprobe *probe)
{
	return !probe->addr;
}

/* Switched off first: the kernel looks at the handler twice for each hit. */
static void abandon(struct kprobe *probe)
{
	pr_err("%s: the kernel couldn't take its kprobe off, for want of memory perhaps: it stays, without effect, and so do some bytes\n",
	       probe->symbol_name);
	probe->flags |= KPROBE_FLAG_DISABLED;
	synchronize_rcu();
	probe->pre_handler = NULL;
	probe->symbol_name = NULL;
}

/**
 * umig_probes_unregister() - No handler runs any more on return.
 * @probes: registered.
 * @nr: how many.
 *
 * Return: may they be freed?
 */
bool umig_probes_unregister(struct kprobe **probes, int nr)
{
	bool may_free = true;
	int i;

	unregister_kprobes(probes, nr);
	for (i = 0; i < nr; i++) {
		if (!is_stuck(probes[i]))
			continue;
		abandon(probes[i]);
		may_free = false;
	}
	return may_free;
}
