// SPDX-License-Identifier: GPL-2.0
/*
 * Holding the vCPUs that dirty memory faster than it can be sent.
 *
 * A thread empties the dirty rings every few milliseconds, whatever the engine
 * is waiting for, so that it is known what each vCPU has dirtied; dirty_pace.h
 * says who has to stand still for it.  The others aren't touched, and no ring
 * gets full.  What was collected is reported by the next harvest.
 */
#include "vmm/priv.h"

#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/cond.h"
#include "lib/log.h"
#include "mem/dirty_pace.h"

#define TICK_NS 5000000ULL

void throttle_init(struct vm *vm)
{
	pthread_mutex_init(&vm->throttle.lock, NULL);
	cond_init_monotonic(&vm->throttle.changed);
	/* the time until which a vCPU is held is of this clock, too */
	cond_init_monotonic(&vm->changed);
}

void throttle_exit(struct vm *vm)
{
	throttle_stop(vm);
	pthread_cond_destroy(&vm->throttle.changed);
	pthread_mutex_destroy(&vm->throttle.lock);
}

/* Until the next tick; false: it is over.  Takes what is asked for. */
static bool wait_tick(struct throttle *t, struct pace *p)
{
	uint64_t at_ns = clock_now_ns() + TICK_NS;
	struct timespec until = {
		.tv_sec = at_ns / 1000000000,
		.tv_nsec = at_ns % 1000000000,
	};
	bool quit;

	pthread_mutex_lock(&t->lock);
	while (!t->quit && clock_now_ns() < at_ns)
		pthread_cond_timedwait(&t->changed, &t->lock, &until);
	p->pages_s = t->pages_s;
	p->floor = t->floor;
	quit = t->quit;
	pthread_mutex_unlock(&t->lock);
	return !quit;
}

/* What each vCPU has dirtied since @seen, which is brought up to date. */
static void look(struct vm *vm, uint64_t *seen, uint64_t *pages)
{
	struct dirty_vcpu d;
	unsigned int i;

	for (i = 0; i < vm->nr_vcpus; i++) {
		dirty_vcpu(&vm->dirty, i, &d);
		pages[i] = d.pages - seen[i];
		seen[i] = d.pages;
	}
}

static void *throttle_thread(void *arg)
{
	uint64_t seen[DIRTY_VCPUS_MAX] = { 0 }, pages[DIRTY_VCPUS_MAX];
	uint64_t hold_ns[DIRTY_VCPUS_MAX], now_ns;
	struct vm *vm = arg;
	struct pace pace;
	unsigned int i;

	look(vm, seen, pages);
	pace_init(&pace, vm->nr_vcpus, clock_now_ns());
	while (wait_tick(&vm->throttle, &pace)) {
		/* an error will be the next harvest's, too */
		if (dirty_collect(&vm->dirty))
			continue;
		look(vm, seen, pages);
		now_ns = clock_now_ns();
		pace_tick(&pace, now_ns, pages, hold_ns);
		for (i = 0; i < vm->nr_vcpus; i++)
			if (hold_ns[i])
				vcpu_hold(&vm->vcpu[i], now_ns + hold_ns[i]);
	}
	vcpus_let_go(vm);
	return NULL;
}

int throttle_start(struct vm *vm, uint64_t pages_s, unsigned int floor)
{
	struct throttle *t = &vm->throttle;
	int ret = 0;

	pthread_mutex_lock(&t->lock);
	t->pages_s = pages_s;
	t->floor = floor;
	t->quit = false;
	pthread_mutex_unlock(&t->lock);
	if (!t->running)
		ret = pthread_create(&t->thread, NULL, throttle_thread, vm);
	if (!ret)
		t->running = true;
	return -ret;
}

void throttle_stop(struct vm *vm)
{
	struct throttle *t = &vm->throttle;

	if (!t->running)
		return;
	pthread_mutex_lock(&t->lock);
	t->quit = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	t->running = false;
}
