/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packing on several threads: one policy for a migration, with a lock, and a
 * worker for each thread that packs.  Reads the clock, which neither the policy
 * nor the packer does; the lock is never held while anything is packed.
 */
#ifndef UMIG_MIGRATE_PACKING_H
#define UMIG_MIGRATE_PACKING_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "migrate/pack.h"
#include "migrate/pack_policy.h"

/** struct packing - What the threads share: @policy, under @lock. */
struct packing {
	pthread_mutex_t lock;
	struct pack_policy policy;
};

/**
 * struct packing_worker - One thread's.
 * @packing: shared.
 * @packer: its own.
 * @scratch: for trials, whose results nobody wants.
 * @wall_ns, @cpu_ns: of packing_run_begin().
 */
struct packing_worker {
	struct packing *packing;
	struct packer packer;
	uint8_t *scratch;
	uint64_t wall_ns;
	uint64_t cpu_ns;
};

/** packing_init() - As pack_policy_init(), now. */
void packing_init(struct packing *p, const struct pack_option *option,
		  unsigned int codecs, unsigned int workers);
void packing_exit(struct packing *p);

/** packing_worker_init() - 0 or -ENOMEM. */
int packing_worker_init(struct packing_worker *w, struct packing *p);
void packing_worker_exit(struct packing_worker *w);

/**
 * packing_choose() - The plan for the next batch; packing_sent() follows, or
 * packing_unused().
 */
struct pack_plan packing_choose(struct packing *p);

/** packing_unused() - As pack_policy_unused(). */
void packing_unused(struct packing *p, struct pack_plan plan);

/**
 * packing_run_begin() - From here to packing_run_end() this thread computes, as
 * far as it gets a CPU.  Packing itself needn't be put in between.
 */
void packing_run_begin(struct packing_worker *w);
void packing_run_end(struct packing_worker *w);

/**
 * packing_try() - Find out what packing would make of a PAGES payload, if the
 * policy wants to know.
 */
void packing_try(struct packing_worker *w, const void *payload, size_t bytes);

/**
 * packing_batch() - Pack a PAGES payload, if that is worth it.
 * @plan: with a codec.
 * @room: for a PACKED payload, @bytes of it.
 *
 * Return: the length of the PACKED payload in @room; 0: send the PAGES as it
 * is.
 */
size_t packing_batch(struct packing_worker *w, struct pack_plan plan,
		     const void *payload, size_t bytes, void *room);

/**
 * packing_path() - One channel's way has taken so many @bytes more, and so much
 * time, as of &struct tcp_path.
 */
void packing_path(struct packing *p, uint64_t bytes, uint64_t busy_ns);

/**
 * packing_sent() - Each batch, when the transport has taken it.
 * @bytes: on the wire.
 * @busy_ns: for how long it was the first in line there.
 */
void packing_sent(struct packing *p, struct pack_plan plan, size_t bytes,
		  uint64_t busy_ns);

#endif
