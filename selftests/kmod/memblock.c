// SPDX-License-Identifier: GPL-2.0
/*
 * Memory blocks, as sysfs has them; see memblock.h.
 */
#include "memblock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "ksm.h"

#define BLOCKS 4096
#define MPOL_DEFAULT 0
#define MPOL_PREFERRED 1
#define STUCK_MS 60000
/* So many pages one after the other aren't just what a CPU had left. */
#define RUN 1024
#define STEP 16

static unsigned long block_bytes(void)
{
	static unsigned long bytes;
	FILE *f;

	if (!bytes) {
		f = fopen("/sys/devices/system/memory/block_size_bytes", "r");
		if (!f || fscanf(f, "%lx", &bytes) != 1 || !bytes)
			bail("no memory blocks");
		fclose(f);
	}
	return bytes;
}

unsigned long memblock_of(const void *addr)
{
	return walk_pfn(addr) * PAGE / block_bytes();
}

unsigned long memblock_at(unsigned long long address)
{
	return address / block_bytes();
}

static bool block_is_movable(unsigned long block)
{
	char path[96], zones[64] = "";
	FILE *f;

	snprintf(path, sizeof(path),
		 "/sys/devices/system/memory/memory%lu/valid_zones", block);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(zones, sizeof(zones), f))
		zones[0] = 0;
	fclose(f);
	return strstr(zones, "Movable");
}

int memblock_state(unsigned long block, const char *state)
{
	char path[96];

	snprintf(path, sizeof(path),
		 "/sys/devices/system/memory/memory%lu/state", block);
	return write_file(path, state);
}

long memblock_find(void)
{
	unsigned long block;

	for (block = 0; block < BLOCKS; block++)
		if (block_is_movable(block) &&
		    !memblock_state(block, "offline") &&
		    !memblock_state(block, "online_movable"))
			return block;
	return -1;
}

static int block_node(unsigned long block)
{
	char path[96];
	int node;

	for (node = 0; node < 8; node++) {
		snprintf(path, sizeof(path),
			 "/sys/devices/system/memory/memory%lu/node%d", block,
			 node);
		if (!access(path, F_OK))
			return node;
	}
	return 0;
}

char *memblock_fill_up_to(unsigned long block)
{
	unsigned long nodes = 1ul << block_node(block);
	size_t i, run = 0;
	char *m;

	syscall(SYS_set_mempolicy, MPOL_PREFERRED, &nodes,
		8 * sizeof(nodes));
	m = mmap(NULL, MEMBLOCK_FILL, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m == MAP_FAILED)
		bail("mmap: %s", strerror(errno));
	madvise(m, MEMBLOCK_FILL, MADV_NOHUGEPAGE);
	for (i = 0; i < MEMBLOCK_FILL; i += PAGE) {
		m[i] = 1;
		if (i / PAGE % STEP)
			continue;
		run = memblock_of(m + i) == block ? run + STEP : 0;
		if (run >= RUN)
			return m;
	}
	munmap(m, MEMBLOCK_FILL);
	return NULL;
}

static bool has_ended(void *arg)
{
	siginfo_t info = {};

	waitid(P_PID, *(pid_t *)arg, &info, WEXITED | WNOHANG | WNOWAIT);
	return info.si_pid != 0;
}

int memblock_offline(unsigned long block, uint64_t *ms)
{
	uint64_t start = now_ms();
	pid_t pid = fork();
	int status;

	if (pid < 0)
		bail("fork: %s", strerror(errno));
	if (pid == 0)
		_exit(-memblock_state(block, "offline"));
	if (!wait_until(has_ended, &pid, STUCK_MS))
		kill(pid, SIGKILL);
	*ms = now_ms() - start;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ETIMEDOUT;
}
