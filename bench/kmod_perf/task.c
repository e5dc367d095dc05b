// SPDX-License-Identifier: GPL-2.0
/*
 * CPU time of kernel threads; see kmod_perf.h.
 */
#include "kmod_perf.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "selftests/kmod/harness.h"

static int is_called(const char *pid, const char *name)
{
	char path[300], comm[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%31s", comm) != 1)
		comm[0] = 0;
	fclose(f);
	return !strcmp(comm, name);
}

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

pid_t task_called(const char *name)
{
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	pid_t pid = 0;

	while (proc && !pid && (entry = readdir(proc)))
		if (is_called(entry->d_name, name))
			pid = atoi(entry->d_name);
	if (proc)
		closedir(proc);
	if (!pid)
		bail("no task called %s", name);
	return pid;
}

uint64_t task_ns(pid_t pid)
{
	uint64_t ns = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%" SCNu64, &ns) != 1)
		bail("%s: %s", path, strerror(errno));
	fclose(f);
	return ns;
}
