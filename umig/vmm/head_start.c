// SPDX-License-Identifier: GPL-2.0
/*
 * A head start for a guest that has just arrived.
 *
 * Its vCPUs have nothing mapped yet: each page that they touch first costs a
 * nested page fault, hundreds of them before the guest answers anybody.  On a
 * host whose CPUs are all busy that work would wait its turn behind guests
 * that have had no blackout, and so lengthen this one's.  For its first second
 * the vCPUs' threads therefore weigh more; if this process may not ask for
 * that, nothing is lost but time.
 */
#include "vmm/priv.h"

#include <errno.h>
#include <sys/resource.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/cond.h"

#define HEAD_START_NS 1000000000ULL
/* about nine times the weight of a thread of nice 0: not all of a CPU */
#define HEAD_START_NICE 10

/* Move all vCPUs' threads by @by, as far as is allowed. */
static void renice(struct vm *vm, int by)
{
	struct vcpu *v;
	int was;

	for (v = vm->vcpu; v < vm->vcpu + vm->nr_vcpus; v++) {
		if (!v->tid || (by > 0 && !v->favoured))
			continue;
		errno = 0;
		was = getpriority(PRIO_PROCESS, v->tid);
		v->favoured = !errno &&
			      !setpriority(PRIO_PROCESS, v->tid, was + by) &&
			      by < 0;
	}
}

static void *head_start_thread(void *arg)
{
	struct vm *vm = arg;
	struct head_start *h = &vm->head_start;
	uint64_t at_ns = clock_now_ns() + HEAD_START_NS;
	struct timespec until = {
		.tv_sec = at_ns / 1000000000,
		.tv_nsec = at_ns % 1000000000,
	};

	pthread_mutex_lock(&h->lock);
	while (!h->quit && clock_now_ns() < at_ns)
		pthread_cond_timedwait(&h->changed, &h->lock, &until);
	pthread_mutex_unlock(&h->lock);
	renice(vm, HEAD_START_NICE);
	return NULL;
}

void head_start_init(struct vm *vm)
{
	pthread_mutex_init(&vm->head_start.lock, NULL);
	cond_init_monotonic(&vm->head_start.changed);
}

void head_start(struct vm *vm)
{
	struct head_start *h = &vm->head_start;

	if (h->running)
		return;
	renice(vm, -HEAD_START_NICE);
	h->running = !pthread_create(&h->thread, NULL, head_start_thread, vm);
	if (!h->running)	/* without somebody to end it: none */
		renice(vm, HEAD_START_NICE);
}

void head_start_exit(struct vm *vm)
{
	struct head_start *h = &vm->head_start;

	pthread_mutex_lock(&h->lock);
	h->quit = true;
	pthread_cond_signal(&h->changed);
	pthread_mutex_unlock(&h->lock);
	if (h->running)
		pthread_join(h->thread, NULL);
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->lock);
}
