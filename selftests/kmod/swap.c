// SPDX-License-Identifier: GPL-2.0
/*
 * Swap for a test; see swap.h.
 */
#include "swap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

#define GROUP "/sys/fs/cgroup/umig-swap"

long swap_used_kb(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[128];
	long kb = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmSwap: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

const char *swap_on(void)
{
	if (system("modprobe zram 2>&1 &&"
		   "echo 256M > /sys/block/zram0/disksize &&"
		   "mkswap /dev/zram0 >/dev/null && swapon /dev/zram0"))
		return "no zram to swap to";
	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if ((mkdir(GROUP, 0755) && errno != EEXIST) ||
	    write_file(GROUP "/cgroup.procs", "0") ||
	    access(GROUP "/memory.reclaim", W_OK))
		return "no cgroup2 with memory.reclaim";
	return NULL;
}

void swap_reclaim(const char *bytes)
{
	write_file(GROUP "/memory.reclaim", bytes);
}

void swap_off(void)
{
	if (write_file("/sys/fs/cgroup/cgroup.procs", "0") || rmdir(GROUP) ||
	    system("swapoff /dev/zram0 && echo 1 > /sys/block/zram0/reset"))
		diag("swap is left on");
}
