// SPDX-License-Identifier: GPL-2.0
/*
 * Packing, shared: see packing.h.
 */
#include "migrate/packing.h"

#include <errno.h>

#include "lib/clock.h"

void packing_init(struct packing *p, const struct pack_option *option,
		  unsigned int codecs, unsigned int workers)
{
	pthread_mutex_init(&p->lock, NULL);
	pack_policy_init(&p->policy, option, codecs, workers, clock_now_ns());
}

void packing_exit(struct packing *p)
{
	pthread_mutex_destroy(&p->lock);
}

struct pack_plan packing_choose(struct packing *p)
{
	struct pack_plan plan;

	pthread_mutex_lock(&p->lock);
	plan = pack_policy_choose(&p->policy, clock_now_ns());
	pthread_mutex_unlock(&p->lock);
	return plan;
}

int packing_pack(struct packing *p, struct packer *packer,
		 struct pack_plan plan, const void *payload, size_t bytes,
		 void *room, size_t room_bytes, size_t *out)
{
	uint64_t began = clock_now_ns(), now;
	int rc = pack(packer, plan, payload, bytes, room, room_bytes, out);

	if (rc && rc != -ENOSPC)
		return rc;
	now = clock_now_ns();
	pthread_mutex_lock(&p->lock);
	pack_policy_packed(&p->policy, plan, bytes, rc ? bytes : *out,
			   now - began, now);
	pthread_mutex_unlock(&p->lock);
	return rc;
}

void packing_try(struct packing *p, struct packer *packer,
		 const void *payload, size_t bytes, void *scratch)
{
	uint64_t began = clock_now_ns(), now;
	struct pack_plan plan;
	size_t out;
	bool wanted;
	int rc;

	pthread_mutex_lock(&p->lock);
	wanted = pack_policy_trial(&p->policy, &plan, began);
	pthread_mutex_unlock(&p->lock);
	if (!wanted)
		return;
	if (bytes > PACK_TRIAL_BYTES)
		bytes = PACK_TRIAL_BYTES;
	rc = pack(packer, plan, payload, bytes, scratch, bytes, &out);
	now = clock_now_ns();
	pthread_mutex_lock(&p->lock);
	pack_policy_tried(&p->policy, plan, bytes, rc ? bytes : out,
			  now - began, now);
	pthread_mutex_unlock(&p->lock);
}

void packing_sent(struct packing *p, struct pack_plan plan, size_t bytes,
		  uint64_t busy_ns)
{
	pthread_mutex_lock(&p->lock);
	pack_policy_sent(&p->policy, plan, bytes, busy_ns, clock_now_ns());
	pthread_mutex_unlock(&p->lock);
}
