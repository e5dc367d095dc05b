// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once: processes that query, lease, fill, release, export, open
 * and close, some on a file that they share, one that changes the key all the
 * time, memory pressure, garbage for arguments.  All digests of one answer
 * must be under one key, no content may be wrong, and the lab watches the
 * kernel's log.
 *
 *	stress_test [SECONDS]
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "churn.h"
#include "dev.h"
#include "harness.h"
#include "ksm.h"

#define USERS 4
#define PAGES 512
#define CONTENTS 200
/* Times as long at most, until enough has happened. */
#define LONGER 10

static unsigned int seconds = 30;
static const uint8_t other_key[32] = "another key, of thirty-two bytes";
static digest_t by_key[2][CONTENTS];

/* Shared by all processes; each adds what it has seen. */
static struct tally {
	uint64_t ranges, digests, torn, wrong;
	uint64_t leases, fills, wrong_fills, gone;
	uint64_t records, garbage, keys;
} *tally;

static void add(uint64_t *to, uint64_t n)
{
	__atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

static bool is_digest_of(int key, const digest_t digest, uint64_t seed)
{
	return !memcmp(by_key[key][seed - CHURN_FIRST], digest, DIGEST);
}

static void use_range(int fd, const struct region *r)
{
	static struct umig_run runs[PAGES];
	static digest_t digests[PAGES];
	struct umig_range a = {
		.size = sizeof(a),
		.mem_fd = -1,
		.nr_pages = PAGES,
		.addr = (uintptr_t)r->base,
		.runs = (uintptr_t)runs,
		.digests = (uintptr_t)digests,
		.nr_runs = PAGES,
		.nr_digests = PAGES,
	};
	uint64_t of_key[2] = {}, wrong = 0;
	uint32_t i, j, d = 0;

	if (dev_ioctl(fd, UMIG_IOC_RANGE, &a))
		return;
	for (i = 0; i < a.nr_runs; i++) {
		if (runs[i].class != UMIG_PAGE_MERGED)
			continue;
		for (j = runs[i].first; j < runs[i].first + runs[i].count;
		     j++, d++) {
			if (is_digest_of(0, digests[d], r->seeds[j]))
				of_key[0]++;
			else if (is_digest_of(1, digests[d], r->seeds[j]))
				of_key[1]++;
			else
				wrong++;
		}
	}
	add(&tally->ranges, 1);
	add(&tally->digests, d);
	add(&tally->wrong, wrong);
	add(&tally->torn, of_key[0] && of_key[1]);
}

static void use_leases(int fd)
{
	char page[PAGE] __attribute__((aligned(PAGE)));
	uint32_t leases[32], held, released, i;
	uint64_t seeds[32];
	digest_t ask[32];
	int key = rand() % 2, err;
	char want[PAGE];

	for (i = 0; i < 32; i++) {
		seeds[i] = CHURN_FIRST + rand() % CONTENTS;
		memcpy(ask[i], by_key[key][seeds[i] - CHURN_FIRST], DIGEST);
	}
	if (dev_confirm(fd, ask, 32, leases, &held))
		return;
	add(&tally->leases, held);
	for (i = 0; i < 32; i++) {
		if (!leases[i])
			continue;
		err = dev_fill_page(fd, leases[i], page);
		fill_page(want, seeds[i]);
		add(&tally->fills, !err);
		add(&tally->gone, err == -ENOENT);
		add(&tally->wrong_fills, !err && memcmp(page, want, PAGE));
	}
	if (rand() % 4)
		dev_release(fd, leases, 32, &released);
	else if (rand() % 2)
		dev_release_all(fd, &released);
}

static void use_export(int fd)
{
	struct umig_record records[64];
	ssize_t n;

	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, records, sizeof(records))) > 0)
		add(&tally->records, n / sizeof(*records));
}

/* A plausible size, so that it gets further than the first check. */
static void use_events(int fd)
{
	struct umig_events e = { .size = sizeof(e) };
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLPRI };

	poll(&p, 1, 0);
	dev_ioctl(fd, UMIG_IOC_EVENTS, &e);
	poll(&p, 1, 0);
}

static void use_garbage(int fd)
{
	static const uint32_t sizes[] = {
		sizeof(struct umig_info), sizeof(struct umig_range),
		sizeof(struct umig_confirm), sizeof(struct umig_fill),
		sizeof(struct umig_release), sizeof(struct umig_stat),
	};
	static const unsigned long nrs[] = {
		UMIG_IOC_INFO, UMIG_IOC_RANGE, UMIG_IOC_CONFIRM,
		UMIG_IOC_FILL, UMIG_IOC_RELEASE, UMIG_IOC_STAT,
	};
	size_t k = rand() % ARRAY_SIZE(nrs);
	uint32_t arg[128];
	size_t i;

	randombytes_buf(arg, sizeof(arg));
	for (i = 0; i < ARRAY_SIZE(arg); i++)
		if (rand() % 2)
			arg[i] &= rand() % 2 ? 0 : 0xfff;
	arg[0] = sizes[k];
	arg[1] = 0;
	dev_ioctl(fd, nrs[k], arg);
	add(&tally->garbage, 1);
}

static void user(int shared, unsigned int seed)
{
	struct region r;
	int own = dev_open(), fd;

	srand(seed);
	region_map(&r, PAGES, CONTENTS, CHURN_FIRST);
	for (;;) {
		fd = rand() % 3 ? own : shared;
		switch (rand() % 8) {
		case 0:
			use_export(own);
			break;
		case 1:
			use_garbage(fd);
			break;
		case 2:
			close(own);
			own = dev_open();
			break;
		case 3:
			region_write(&r, rand() % PAGES,
				     CHURN_FIRST + rand() % CONTENTS);
			break;
		case 4:
			use_leases(fd);
			break;
		case 5:
			use_events(fd);
			break;
		default:
			use_range(fd, &r);
		}
		poll(NULL, 0, rand() % 10);
	}
}

static void key_changer(int fd)
{
	int drop = open("/proc/sys/vm/drop_caches", O_WRONLY);
	unsigned int i;

	for (i = 0;; i++) {
		poll(NULL, 0, 100 + rand() % 300);
		dev_set_key(fd, i % 2 ? test_key : other_key);
		add(&tally->keys, 1);
		if (i % 8 == 0 && write(drop, "2", 1) != 1)
			diag("can't drop caches");
	}
}

static pid_t start(int kind, int fd)
{
	pid_t pid = fork();

	if (pid < 0)
		bail("fork failed");
	if (pid)
		return pid;
	if (kind < 0)
		key_changer(fd);
	user(fd, kind);
	_exit(0);
}

static bool enough_happened(int fd)
{
	return tally->digests > 1000 && tally->fills > 100 &&
	       tally->records > 1000 && tally->garbage > 10 &&
	       tally->keys > 10 && dev_stat(fd).evicted > 0;
}

/* On a busy machine it takes longer until all has happened that must. */
static void let_happen(int fd)
{
	uint64_t start = now_ms(), ms = seconds * 1000ull;

	poll(NULL, 0, ms);
	while (!enough_happened(fd) && now_ms() - start < LONGER * ms)
		poll(NULL, 0, 500);
}

static void check_tally(int fd)
{
	diag("%llu ranges with %llu digests, %llu leases, %llu fills (%llu gone), %llu records, %llu times garbage, %llu keys",
	     (unsigned long long)tally->ranges,
	     (unsigned long long)tally->digests,
	     (unsigned long long)tally->leases,
	     (unsigned long long)tally->fills,
	     (unsigned long long)tally->gone,
	     (unsigned long long)tally->records,
	     (unsigned long long)tally->garbage,
	     (unsigned long long)tally->keys);
	CHECK(enough_happened(fd), "too little has happened: %llu evicted",
	      (unsigned long long)dev_stat(fd).evicted);
	CHECK(!tally->wrong, "%llu wrong digests",
	      (unsigned long long)tally->wrong);
	CHECK(!tally->torn, "%llu answers with digests under two keys",
	      (unsigned long long)tally->torn);
	CHECK(!tally->wrong_fills, "%llu wrong contents",
	      (unsigned long long)tally->wrong_fills);
	CHECK(!dev_stat(fd).lease_mismatch, "%llu leases weren't as promised",
	      (unsigned long long)dev_stat(fd).lease_mismatch);
}

static bool unloaded(void *arg)
{
	(void)arg;
	return !module_unload();
}

static void test_stress(void)
{
	pid_t pids[USERS + 2];
	struct actor member;
	uint32_t released;
	int fd, shared;
	size_t i;

	ksm_reset();
	fd = dev_fresh("lease_ttl_ms=2000 lease_grace_ms=1");
	shared = dev_open();
	/* Somebody in a group: every page's sharers are looked at. */
	member = actor_start_in('a');
	ksm_run();
	for (i = 0; i < USERS; i++)
		pids[i] = start(i, shared);
	pids[USERS] = start(-1, fd);
	pids[USERS + 1] = churn_start(1);
	let_happen(fd);
	for (i = 0; i < USERS + 2; i++)
		churn_stop(pids[i]);
	actor_kill(&member);
	dev_release_all(shared, &released);
	CHECK(dev_stat(fd).leases == 0, "%llu leases left",
	      (unsigned long long)dev_stat(fd).leases);
	REQUIRE(dev_settle(fd), "not settled");
	check_tally(fd);
	close(shared);
	close(fd);
	/* Children of the churner may have the files for a moment more. */
	CHECK(wait_until(unloaded, NULL, 5000), "can't be unloaded");
	ksm_reset();
}

static const struct test_case cases[] = {
	{ "everything at once", test_stress },
};

int main(int argc, char **argv)
{
	size_t i;

	if (sodium_init() < 0)
		bail("libsodium");
	if (argc > 1)
		seconds = atoi(argv[1]);
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED)
		bail("no memory");
	for (i = 0; i < CONTENTS; i++) {
		char page[PAGE];

		fill_page(page, CHURN_FIRST + i);
		digest_of_page(page, by_key[0][i]);
		crypto_generichash(by_key[1][i], DIGEST, (void *)page, PAGE,
				   other_key, sizeof(other_key));
	}
	return test_main(cases, ARRAY_SIZE(cases));
}
