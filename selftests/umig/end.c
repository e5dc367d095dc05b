// SPDX-License-Identifier: GPL-2.0
/*
 * One end of a migration under test: see end.h.
 */
#include "umig/end.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "umig/scratch.h"

#define WAIT_S 20

static void on_event(void *arg, const struct migrate_report *report)
{
	struct end *e = arg;

	pthread_mutex_lock(&e->lock);
	e->last = *report;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
}

void end_init(struct end *e, uint64_t low, uint64_t high, bool running)
{
	int rc;

	memset(e, 0, sizeof(*e));
	fake_vm_init(&e->vm, low, high, running);
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->changed, NULL);
	e->params = MIGRATE_PARAMS_DEFAULT;
	e->params.peer_timeout_ns = 5000000000ULL;
	/* what is counted shall not depend on how fast the machine is */
	e->params.pack.automatic = false;
	e->params.channels = 1;
	e->state_dir = scratch_dir();
	rc = handover_store_open(&e->params.store, e->state_dir, "vm", NULL);
	assert(!rc);
}

void end_exit(struct end *e)
{
	migration_free(e->m);
	handover_store_close(e->params.store);
	scratch_remove(e->state_dir);
	fake_vm_exit(&e->vm);
	pthread_cond_destroy(&e->changed);
	pthread_mutex_destroy(&e->lock);
}

void end_start_target_vm(struct end *e, const struct vm_ops *ops, void *vm,
			 char *address, size_t room)
{
	struct err err = { 0 };
	int rc;

	e->last = (struct migrate_report){ 0 };
	e->params.address = "127.0.0.1:0";
	rc = migration_start_target(&e->m, ops, vm, &e->params, on_event, e,
				    &err);
	assert(!rc);
	snprintf(address, room, "127.0.0.1:%d", migration_port(e->m));
}

void end_start_source_vm(struct end *e, const struct vm_ops *ops, void *vm,
			 const char *address)
{
	struct err err = { 0 };
	int rc;

	e->last = (struct migrate_report){ 0 };
	e->params.address = address;
	rc = migration_start_source(&e->m, ops, vm, &e->params, on_event, e,
				    &err);
	assert(!rc);
}

void end_start_target(struct end *e, char *address, size_t room)
{
	end_start_target_vm(e, &fake_vm_ops, &e->vm, address, room);
}

void end_start_source(struct end *e, const char *address)
{
	end_start_source_vm(e, &fake_vm_ops, &e->vm, address);
}

static bool is_there(const struct end *e, enum migrate_state state)
{
	return state ? e->last.state == state :
		       migrate_state_final(e->last.state);
}

bool end_wait_state(struct end *e, enum migrate_state state)
{
	struct timespec until;
	bool there;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	pthread_mutex_lock(&e->lock);
	while (!is_there(e, state) && !rc)
		rc = pthread_cond_timedwait(&e->changed, &e->lock, &until);
	there = is_there(e, state);
	pthread_mutex_unlock(&e->lock);
	if (!there)
		fprintf(stderr, "# still in state \"%s\" (%s)\n",
			migrate_state_name(e->last.state), e->last.error);
	return there;
}

bool end_wait_final(struct end *e)
{
	return end_wait_state(e, 0);
}
