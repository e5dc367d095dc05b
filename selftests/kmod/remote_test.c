// SPDX-License-Identifier: GPL-2.0
/*
 * RANGE of another process, by its /proc/PID/mem: the same answer as its own,
 * without touching it; and none where the file isn't that.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dev.h"
#include "harness.h"
#include "ksm.h"

#define PAGES 600
#define MERGED 400
#define CONTENTS 150
#define SEED 300000

static struct region region;
static uint8_t classes[PAGES];
static digest_t digests[PAGES];

/* Merged pages, then ones of its own, then never touched. */
static void map_all(void)
{
	size_t i;

	region_map(&region, PAGES, CONTENTS, SEED);
	for (i = MERGED; i < PAGES; i++)
		region_write(&region, i, 2 * SEED + i);
	if (madvise(region.base + (PAGES - 100) * PAGE, 100 * PAGE,
		    MADV_DONTNEED))
		bail("MADV_DONTNEED: %s", strerror(errno));
}

static pid_t owner_start(void)
{
	pid_t pid = fork();

	if (pid < 0)
		bail("fork failed");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The addresses are the parent's, too: fork() copied the mapping. */
	for (;;)
		pause();
}

static void owner_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int open_of(pid_t pid, const char *name, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		bail("%s: %s", path, strerror(errno));
	return fd;
}

/* 0 or -errno; classes and digests are filled. */
static int range_of(int fd, int mem_fd)
{
	static struct umig_run runs[PAGES];
	static digest_t found[PAGES];
	struct umig_range r = {
		.size = sizeof(r),
		.mem_fd = mem_fd,
		.nr_pages = PAGES,
		.addr = (uintptr_t)region.base,
		.runs = (uintptr_t)runs,
		.digests = (uintptr_t)found,
		.nr_runs = PAGES,
		.nr_digests = PAGES,
	};
	int err = dev_ioctl(fd, UMIG_IOC_RANGE, &r);
	uint32_t i, j, at = 0, d = 0;

	for (i = 0; !err && i < r.nr_runs; i++)
		for (j = 0; j < runs[i].count && at < PAGES; j++, at++) {
			classes[at] = runs[i].class;
			if (runs[i].class == UMIG_PAGE_MERGED)
				memcpy(digests[at], found[d++], DIGEST);
		}
	return !err && at != PAGES ? -EPROTO : err;
}

static size_t count(uint8_t class)
{
	size_t i, n = 0;

	for (i = 0; i < PAGES; i++)
		n += classes[i] == class;
	return n;
}

static void check_answer(void)
{
	size_t i, wrong = 0;
	digest_t want;

	for (i = 0; i < PAGES; i++) {
		if (classes[i] != UMIG_PAGE_MERGED)
			continue;
		digest_of_seed(region.seeds[i], want);
		wrong += !!memcmp(digests[i], want, DIGEST);
	}
	CHECK(!wrong, "%zu wrong digests", wrong);
	CHECK(count(UMIG_PAGE_MERGED) == MERGED, "%zu of %d merged",
	      count(UMIG_PAGE_MERGED), MERGED);
	CHECK(count(UMIG_PAGE_ABSENT) == 100, "%zu of 100 absent",
	      count(UMIG_PAGE_ABSENT));
	CHECK(count(UMIG_PAGE_PRIVATE) == PAGES - MERGED - 100,
	      "%zu private", count(UMIG_PAGE_PRIVATE));
}

static bool is_merged(void *arg)
{
	(void)arg;
	return walk_count(region.base, MERGED) == MERGED;
}

/* The module, and the region merged in this process. */
static int prepare(void)
{
	int fd;

	ksm_reset();
	fd = dev_fresh("");
	map_all();
	ksm_run();
	if (!wait_until(is_merged, NULL, MERGE_TIMEOUT_MS))
		bail("KSM doesn't merge");
	ksm_write("run", 0);
	if (!dev_settle(fd))
		bail("not settled");
	return fd;
}

static void test_answer(void)
{
	int fd = prepare(), mem, i;
	pid_t pid = owner_start();

	mem = open_of(pid, "mem", O_RDONLY);
	/* Twice: the first must not have touched anything. */
	for (i = 0; i < 2; i++) {
		REQUIRE(!range_of(fd, mem), "RANGE");
		check_answer();
	}
	/* Written here, not there: each is asked for its own. */
	region_write(&region, 0, SEED + 1);
	REQUIRE(!range_of(fd, -1), "RANGE of my own");
	CHECK(classes[0] == UMIG_PAGE_PRIVATE, "class %u of a written page",
	      classes[0]);
	region.seeds[0] = SEED;
	REQUIRE(!range_of(fd, mem), "RANGE after a write of mine");
	check_answer();
	close(mem);
	owner_stop(pid);
	region_unmap(&region);
	close(fd);
}

static void refused(int fd, int mem_fd, int want, const char *what)
{
	int err = range_of(fd, mem_fd);

	CHECK(err == -want, "%s: %s, should be %s", what, strerror(-err),
	      strerror(want));
	close(mem_fd);
}

static void test_refused(void)
{
	int fd = prepare(), mem;
	pid_t pid = owner_start();

	refused(fd, open_of(pid, "mem", O_WRONLY), EBADF, "for writing only");
	refused(fd, open_of(pid, "maps", O_RDONLY), EBADF, "another file");
	refused(fd, open("/", O_PATH), EBADF, "O_PATH");
	mem = open_of(pid, "mem", O_RDONLY);
	owner_stop(pid);
	refused(fd, mem, ESRCH, "a dead process");
	region_unmap(&region);
	close(fd);
}

/* Another program in the same process isn't what was opened. */
static void test_exec(void)
{
	int fd = prepare(), mem, go[2];
	char byte = 0;
	pid_t pid;

	REQUIRE(!pipe2(go, O_CLOEXEC), "pipe");
	pid = fork();
	if (pid == 0) {
		if (read(go[0], &byte, 1) == 1)
			execl("/bin/sleep", "sleep", "1000", NULL);
		_exit(1);
	}
	mem = open_of(pid, "mem", O_RDONLY);
	CHECK(!range_of(fd, mem), "RANGE before");
	close(go[0]);
	CHECK(write(go[1], &byte, 1) == 1, "can't tell it");
	/* The end of the pipe that the child has closes by its exec. */
	while (write(go[1], &byte, 1) == 1)
		usleep(1000);
	CHECK(waitpid(pid, NULL, WNOHANG) == 0, "it couldn't execute sleep");
	refused(fd, mem, ESRCH, "after exec");
	owner_stop(pid);
	close(go[1]);
	region_unmap(&region);
	close(fd);
}

/* /proc/self/mem is any file to who does that. */
static bool mount_other_proc(void)
{
	return !unshare(CLONE_NEWNS) &&
	       !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("none", "/proc", "tmpfs", 0, NULL) &&
	       !mkdir("/proc/self", 0755) &&
	       !mknod("/proc/self/mem", S_IFREG | 0600, 0);
}

static int load_elsewhere(void)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		bail("fork failed");
	if (pid == 0)
		_exit(!mount_other_proc() ? 1 : module_load("") ? 2 : 0);
	waitpid(pid, &status, 0);
	return status;
}

/* That it isn't procfs's must be noticed: of such a file nothing is known. */
static void test_other_proc(void)
{
	int fd, err;

	module_unload();
	err = load_elsewhere();
	REQUIRE(!err, "can't be loaded without /proc: status %x", err);
	fd = dev_open();
	CHECK(!dev_set_key(fd, test_key), "SET_KEY");
	region_map(&region, PAGES, CONTENTS, SEED);
	refused(fd, open_of(getpid(), "mem", O_RDONLY), EOPNOTSUPP,
		"a process's memory");
	refused(fd, memfd_create("mem", MFD_CLOEXEC), EOPNOTSUPP,
		"a file of what was there instead");
	CHECK(!range_of(fd, -1), "RANGE of my own");
	region_unmap(&region);
	close(fd);
}

static const struct test_case cases[] = {
	{ "RANGE of another process is right", test_answer },
	{ "other files are refused", test_refused },
	{ "not after an exec", test_exec },
	{ "another file for /proc/self/mem on loading", test_other_proc },
};

int main(void)
{
	int err;

	if (sodium_init() < 0)
		bail("libsodium");
	signal(SIGPIPE, SIG_IGN);
	err = test_main(cases, ARRAY_SIZE(cases));
	ksm_reset();
	return err;
}
