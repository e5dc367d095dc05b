// SPDX-License-Identifier: GPL-2.0
/*
 * Processes that do as they are told; see actor.h.
 */
#include "actor.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dev.h"
#include "harness.h"
#include "ksm.h"

enum order {
	JOIN = 1,
	JOIN_OTHER_FILE,
	MAP,
	MERGED,
	UNMAP,
	CONFIRM,
	CONFIRM_KEEP,
	CONFIRM_OTHER_FILE,
	EXPORTED,
	SHARERS,
	CLOSE,
	FORK,
};

struct request {
	enum order order;
	uint64_t what;
	unsigned int nr;
};

/* The actor's own, in its process. */
static struct {
	int fd;
	struct region region;
	digest_t digests[ACTOR_PAGES];
	uint32_t leases[ACTOR_PAGES];
} me;

static int join(int fd, char name)
{
	struct umig_join arg = { .size = sizeof(arg), .group = { name } };

	return dev_ioctl(fd, UMIG_IOC_JOIN, &arg);
}

static int on_other_file(const struct request *r,
			 int (*fn)(int fd, const struct request *r))
{
	int fd = dev_open();
	int ret = fn(fd, r);

	close(fd);
	return ret;
}

static int join_on(int fd, const struct request *r)
{
	return join(fd, r->what);
}

static int confirm_on(int fd, const struct request *r)
{
	uint32_t held;
	unsigned int i;
	int err;

	for (i = 0; i < r->nr; i++)
		digest_of_seed(r->what + i, me.digests[i]);
	err = dev_confirm(fd, me.digests, r->nr, me.leases, &held);
	return err ? err : (int)held;
}

static int confirm(const struct request *r)
{
	int held = confirm_on(me.fd, r);
	uint32_t released;

	dev_release_all(me.fd, &released);
	return held;
}

static bool is_asked(const struct umig_record *record, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!memcmp(record->digest, me.digests[i], DIGEST))
			return true;
	return false;
}

/* Counts the records of the contents asked for, or adds up their sharers. */
static int exported(const struct request *r)
{
	struct umig_record batch[64];
	unsigned int i;
	int found = 0;
	ssize_t n;

	for (i = 0; i < r->nr; i++)
		digest_of_seed(r->what + i, me.digests[i]);
	lseek(me.fd, 0, SEEK_SET);
	while ((n = read(me.fd, batch, sizeof(batch))) > 0)
		for (i = 0; i < n / sizeof(batch[0]); i++)
			if (is_asked(&batch[i], r->nr))
				found += r->order == SHARERS ?
					 batch[i].sharers : 1;
	return n < 0 ? -errno : found;
}

static int fork_idle(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(me.fd);
		for (;;)
			pause();
	}
	return pid < 0 ? -errno : 0;
}

static int obey(const struct request *r)
{
	switch (r->order) {
	case JOIN:
		return join(me.fd, r->what);
	case JOIN_OTHER_FILE:
		return on_other_file(r, join_on);
	case MAP:
		region_map(&me.region, r->nr, r->nr, r->what);
		return 0;
	case MERGED:
		return region_wait_merged(&me.region) ? 0 : -ETIMEDOUT;
	case UNMAP:
		region_unmap(&me.region);
		return 0;
	case CONFIRM:
		return confirm(r);
	case CONFIRM_KEEP:
		return confirm_on(me.fd, r);
	case CONFIRM_OTHER_FILE:
		return on_other_file(r, confirm_on);
	case EXPORTED:
	case SHARERS:
		return exported(r);
	case CLOSE:
		close(me.fd);
		return 0;
	case FORK:
		return fork_idle();
	}
	return -ENOSYS;
}

/* The test's device and the other actors' pipes are none of its business. */
static void close_all_but(int one, int other)
{
	int fd;

	for (fd = STDERR_FILENO + 1; fd < 64; fd++)
		if (fd != one && fd != other)
			close(fd);
}

static void act(int from, int to)
{
	struct request r;
	int answer;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_all_but(from, to);
	me.fd = dev_open();
	while (read(from, &r, sizeof(r)) == sizeof(r)) {
		answer = obey(&r);
		if (write(to, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	_exit(0);
}

struct actor actor_start(void)
{
	int there[2], back[2];
	struct actor a;

	if (pipe(there) || pipe(back))
		bail("pipe: %s", strerror(errno));
	a.pid = fork();
	if (a.pid < 0)
		bail("fork: %s", strerror(errno));
	if (a.pid == 0)
		act(there[0], back[1]);
	close(there[0]);
	close(back[1]);
	a.to = there[1];
	a.from = back[0];
	return a;
}

struct actor actor_start_in(char name)
{
	struct actor a = actor_start();
	int err = actor_join(&a, name);

	if (err)
		bail("JOIN: %s", strerror(-err));
	return a;
}

void actor_kill(struct actor *a)
{
	kill(a->pid, SIGKILL);
	waitpid(a->pid, NULL, 0);
	close(a->to);
	close(a->from);
}

static int tell(struct actor *a, enum order order, uint64_t what,
		unsigned int nr)
{
	struct request r = { .order = order, .what = what, .nr = nr };
	int answer;

	if (nr > ACTOR_PAGES ||
	    write(a->to, &r, sizeof(r)) != sizeof(r) ||
	    read(a->from, &answer, sizeof(answer)) != sizeof(answer))
		bail("actor %d doesn't answer order %d", a->pid, order);
	return answer;
}

int actor_join(struct actor *a, char name)
{
	return tell(a, JOIN, name, 0);
}

int actor_join_other_file(struct actor *a, char name)
{
	return tell(a, JOIN_OTHER_FILE, name, 0);
}

int actor_map(struct actor *a, uint64_t first, unsigned int pages)
{
	return tell(a, MAP, first, pages);
}

int actor_merged(struct actor *a)
{
	return tell(a, MERGED, 0, 0);
}

int actor_unmap(struct actor *a)
{
	return tell(a, UNMAP, 0, 0);
}

int actor_confirm(struct actor *a, uint64_t first, unsigned int nr)
{
	return tell(a, CONFIRM, first, nr);
}

int actor_confirm_keep(struct actor *a, uint64_t first, unsigned int nr)
{
	return tell(a, CONFIRM_KEEP, first, nr);
}

int actor_confirm_other_file(struct actor *a, uint64_t first, unsigned int nr)
{
	return tell(a, CONFIRM_OTHER_FILE, first, nr);
}

int actor_exported(struct actor *a, uint64_t first, unsigned int nr)
{
	return tell(a, EXPORTED, first, nr);
}

int actor_sharers(struct actor *a, uint64_t first, unsigned int nr)
{
	return tell(a, SHARERS, first, nr);
}

int actor_close(struct actor *a)
{
	return tell(a, CLOSE, 0, 0);
}

int actor_fork(struct actor *a)
{
	return tell(a, FORK, 0, 0);
}
