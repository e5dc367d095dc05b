// SPDX-License-Identifier: GPL-2.0
/*
 * The worker's time to hash a page, and the memory of an entry.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kmod_perf.h"
#include "measure.h"
#include "selftests/kmod/dev.h"
#include "selftests/kmod/harness.h"
#include "selftests/kmod/ksm.h"

#define SEED 80000
#define ROUNDS 5

static double entry_bytes(const struct umig_info *empty,
			  const struct umig_info *full)
{
	return (double)(full->index_bytes - empty->index_bytes) /
	       (full->merged_pages - empty->merged_pages);
}

/* A new key makes all digests void. */
static uint64_t hash_again(int dev, pid_t worker, uint8_t round)
{
	uint64_t before = dev_stat(dev).hashed;
	uint64_t start = task_ns(worker);
	uint8_t key[32];

	memset(key, 1 + round, sizeof(key));
	if (dev_set_key(dev, key) || !dev_settle(dev))
		bail("not hashed again");
	return (task_ns(worker) - start) / (dev_stat(dev).hashed - before);
}

void hash_cost(void)
{
	struct umig_info empty, full;
	uint64_t sample[ROUNDS];
	struct region r;
	pid_t worker;
	uint8_t i;
	int dev;

	ksm_reset();
	dev = dev_fresh("");
	empty = dev_info(dev);
	worker = task_called("umig_hash");
	region_map(&r, PAGES, CONTENTS, SEED);
	ksm_run();
	if (!region_wait_merged(&r) || !dev_settle(dev))
		bail("KSM doesn't merge, or the index doesn't settle");
	ksm_write("run", 0);
	full = dev_info(dev);
	for (i = 0; i < ROUNDS; i++)
		sample[i] = hash_again(dev, worker, i);
	close(dev);
	region_unmap(&r);
	printf("\"entry_bytes\": %.1f, \"table_bytes\": %llu, ",
	       entry_bytes(&empty, &full),
	       (unsigned long long)empty.index_bytes);
	/* It sorts: the least is the first. */
	printf("\"hash_ns\": %" PRIu64 ", ", median(sample, ROUNDS));
	printf("\"hash_least_ns\": %" PRIu64 ", ", sample[0]);
}
