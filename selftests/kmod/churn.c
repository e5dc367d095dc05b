// SPDX-License-Identifier: GPL-2.0
/*
 * Processes that give KSM no rest; see churn.h.
 */
#include "churn.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "ksm.h"

static void write_some(struct region *r, size_t at, size_t n)
{
	for (; n; n--, at++)
		region_write(r, at, CHURN_FIRST + rand() % CHURN_CONTENTS);
}

static void remap_some(struct region *r, size_t at, size_t n)
{
	char *addr = r->base + at * PAGE;

	if (munmap(addr, n * PAGE) ||
	    mmap(addr, n * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != addr)
		_exit(1);
	madvise(addr, n * PAGE, MADV_NOHUGEPAGE);
	write_some(r, at, n);
	madvise(addr, n * PAGE, MADV_MERGEABLE);
}

static void unmerge_some(struct region *r, size_t at, size_t n)
{
	madvise(r->base + at * PAGE, n * PAGE, MADV_UNMERGEABLE);
	madvise(r->base + at * PAGE, n * PAGE, MADV_MERGEABLE);
}

static void fork_briefly(struct region *r)
{
	if (fork() == 0) {
		poll(NULL, 0, rand() % 200);
		write_some(r, rand() % (CHURN_PAGES / 2), 100);
		_exit(0);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void churn(unsigned int seed)
{
	struct region r;
	size_t at, n;
	int what;

	srand(seed);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Its children outlive it for a moment: they mustn't have the device. */
	close_range(3, ~0u, 0);
	region_map(&r, CHURN_PAGES, CHURN_CONTENTS, CHURN_FIRST);
	for (;;) {
		at = rand() % CHURN_PAGES;
		n = 1 + rand() % 400;
		if (at + n > CHURN_PAGES)
			n = CHURN_PAGES - at;
		what = rand() % 100;
		if (what < 35)
			write_some(&r, at, n);
		else if (what < 50)
			remap_some(&r, at, n);
		else if (what < 60)
			unmerge_some(&r, at, n);
		else if (what < 70)
			madvise(r.base + at * PAGE, n * PAGE, MADV_DONTNEED);
		else if (what < 72)
			fork_briefly(&r);
		else
			poll(NULL, 0, rand() % 30);
	}
}

pid_t churn_start(unsigned int seed)
{
	pid_t pid = fork();

	if (pid < 0)
		bail("fork failed");
	if (pid == 0)
		churn(seed);
	return pid;
}

void churn_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
