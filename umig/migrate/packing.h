/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packing as the encoders of a migration share it: one policy, which hears from
 * all of them what packing and sending took.  Any thread.
 */
#ifndef UMIG_MIGRATE_PACKING_H
#define UMIG_MIGRATE_PACKING_H

#include <pthread.h>

#include "migrate/pack_policy.h"

/** struct packing - As above; @policy is under @lock. */
struct packing {
	pthread_mutex_t lock;
	struct pack_policy policy;
};

/** packing_init() - As pack_policy_init(). */
void packing_init(struct packing *p, const struct pack_option *option,
		  unsigned int codecs, unsigned int workers);
void packing_exit(struct packing *p);

/** packing_choose() - The plan for a batch; packing_sent() follows. */
struct pack_plan packing_choose(struct packing *p);

/**
 * packing_pack() - pack(), and tell the policy.
 * @packer: the caller's.
 */
int packing_pack(struct packing *p, struct packer *packer,
		 struct pack_plan plan, const void *payload, size_t bytes,
		 void *room, size_t room_bytes, size_t *out);

/**
 * packing_try() - If the policy wants to know what packing would make of
 * @payload, find out.
 * @scratch: of @bytes, written.
 */
void packing_try(struct packing *p, struct packer *packer,
		 const void *payload, size_t bytes, void *scratch);

/** packing_sent() - A batch of @plan has left, as pack_policy_sent(). */
void packing_sent(struct packing *p, struct pack_plan plan, size_t bytes,
		  uint64_t busy_ns);

#endif
