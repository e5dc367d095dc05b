/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Processes that do as they are told: each has memory, an open /dev/umig and a
 * trust group of its own.  What the test itself may not do, because a process
 * can't leave its group, an actor does.
 */
#ifndef UMIG_SELFTESTS_KMOD_ACTOR_H
#define UMIG_SELFTESTS_KMOD_ACTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* At most so many pages of an actor, or digests of a question. */
#define ACTOR_PAGES 256

/** struct actor - One process; @to and @from are pipes. */
struct actor {
	pid_t pid;
	int to;
	int from;
};

/* With the device open; it dies with the test. */
struct actor actor_start(void);
/* The same, and joined: @name 0 is the common group. */
struct actor actor_start_in(char name);
/* By SIGKILL, as a crash would. */
void actor_kill(struct actor *a);

/*
 * What an actor does, and its answer: 0 or -errno where nothing else is said.
 *
 * join: the group called @name, on the file that is open, or on another one
 * that is opened for it and closed.
 * map: @pages pages with the contents of seeds @first and following; merged
 * waits until KSM has them.
 * confirm: how many of so many seeds are held, for its file; leases are given
 * back at once, or kept.
 * exported: how many of them read(2) tells of.
 * sharers: how many mappings it tells of, of all of them together.
 * fork: a child with a copy of the memory, which does nothing, until the end.
 */
int actor_join(struct actor *a, char name);
int actor_join_other_file(struct actor *a, char name);
int actor_map(struct actor *a, uint64_t first, unsigned int pages);
int actor_merged(struct actor *a);
int actor_unmap(struct actor *a);
int actor_confirm(struct actor *a, uint64_t first, unsigned int nr);
int actor_confirm_keep(struct actor *a, uint64_t first, unsigned int nr);
int actor_confirm_other_file(struct actor *a, uint64_t first, unsigned int nr);
int actor_exported(struct actor *a, uint64_t first, unsigned int nr);
int actor_sharers(struct actor *a, uint64_t first, unsigned int nr);
int actor_close(struct actor *a);
int actor_fork(struct actor *a);

#endif
