// SPDX-License-Identifier: GPL-2.0
/*
 * Packing on several threads: see packing.h.
 */
#include "migrate/packing.h"

#include <errno.h>
#include <stdlib.h>

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

/* Who packs for the first time gets memory for it, which trials aren't about. */
static void warm_up(struct packing_worker *w)
{
	struct pack_plan plan;
	uint8_t room[PACK_TRIAL_BYTES / 64];
	unsigned int i;
	size_t packed;

	for (i = 0; !pack_policy_plan(i, &plan); i++)
		pack(&w->packer, plan, w->scratch, PACK_TRIAL_BYTES, room,
		     sizeof(room), &packed);
}

int packing_worker_init(struct packing_worker *w, struct packing *p)
{
	*w = (struct packing_worker){ .packing = p };
	w->scratch = calloc(1, PACK_TRIAL_BYTES);
	if (w->scratch && !packer_init(&w->packer)) {
		if (p->policy.option.automatic)
			warm_up(w);
		return 0;
	}
	packing_worker_exit(w);
	return -ENOMEM;
}

void packing_worker_exit(struct packing_worker *w)
{
	packer_exit(&w->packer);
	free(w->scratch);
	*w = (struct packing_worker){ 0 };
}

void packing_run_begin(struct packing_worker *w)
{
	w->wall_ns = clock_now_ns();
	w->cpu_ns = clock_thread_ns();
}

void packing_run_end(struct packing_worker *w)
{
	uint64_t cpu_ns = clock_thread_ns() - w->cpu_ns;
	uint64_t wall_ns = clock_now_ns() - w->wall_ns;

	pthread_mutex_lock(&w->packing->lock);
	pack_policy_ran(&w->packing->policy, wall_ns, cpu_ns);
	pthread_mutex_unlock(&w->packing->lock);
}

/*
 * Pack by @plan; the time that it took, and what to account: @bytes if they go
 * as they are.  Without memory, they go as they are.
 */
static size_t timed_pack(struct packing_worker *w, struct pack_plan plan,
			 const void *payload, size_t bytes, void *room,
			 uint64_t *ns)
{
	uint64_t begun = clock_now_ns();
	size_t packed;

	packing_run_begin(w);
	if (pack(&w->packer, plan, payload, bytes, room, bytes, &packed))
		packed = bytes;
	*ns = clock_now_ns() - begun;
	packing_run_end(w);
	return packed;
}

/* The middle of a batch stands for all of it. */
void packing_try(struct packing_worker *w, const void *payload, size_t bytes)
{
	size_t part = bytes < PACK_TRIAL_BYTES ? bytes : PACK_TRIAL_BYTES;
	struct packing *p = w->packing;
	struct pack_plan plan;
	size_t packed;
	uint64_t ns;
	bool due;

	pthread_mutex_lock(&p->lock);
	due = pack_policy_trial(&p->policy, &plan, clock_now_ns());
	pthread_mutex_unlock(&p->lock);
	if (!due)
		return;
	packed = timed_pack(w, plan, (const uint8_t *)payload +
				    (bytes - part) / 2, part, w->scratch, &ns);
	pthread_mutex_lock(&p->lock);
	pack_policy_tried(&p->policy, plan, part, packed, ns, clock_now_ns());
	pthread_mutex_unlock(&p->lock);
}

struct pack_plan packing_choose(struct packing *p)
{
	struct pack_plan plan;

	pthread_mutex_lock(&p->lock);
	plan = pack_policy_choose(&p->policy, clock_now_ns());
	pthread_mutex_unlock(&p->lock);
	return plan;
}

void packing_unused(struct packing *p, struct pack_plan plan)
{
	pthread_mutex_lock(&p->lock);
	pack_policy_unused(&p->policy, plan);
	pthread_mutex_unlock(&p->lock);
}

size_t packing_batch(struct packing_worker *w, struct pack_plan plan,
		     const void *payload, size_t bytes, void *room)
{
	struct packing *p = w->packing;
	size_t packed;
	uint64_t ns;

	packed = timed_pack(w, plan, payload, bytes, room, &ns);
	pthread_mutex_lock(&p->lock);
	pack_policy_packed(&p->policy, plan, bytes, packed, ns,
			   clock_now_ns());
	pthread_mutex_unlock(&p->lock);
	return packed < bytes ? packed : 0;
}

void packing_path(struct packing *p, uint64_t bytes, uint64_t busy_ns)
{
	pthread_mutex_lock(&p->lock);
	pack_policy_path(&p->policy, bytes, busy_ns, clock_now_ns());
	pthread_mutex_unlock(&p->lock);
}

void packing_sent(struct packing *p, struct pack_plan plan, size_t bytes,
		  uint64_t busy_ns)
{
	pthread_mutex_lock(&p->lock);
	pack_policy_sent(&p->policy, plan, bytes, busy_ns, clock_now_ns());
	pthread_mutex_unlock(&p->lock);
}
