/* SPDX-License-Identifier: GPL-2.0 */
/* One end of a migration under test: a fake VM, the engine, its last event. */
#ifndef SELFTESTS_END_H
#define SELFTESTS_END_H

#include <pthread.h>

#include "migrate/migrate.h"
#include "umig/fake_vm.h"

struct end {
	struct fake_vm vm;
	struct migration *m;
	struct migrate_params params;
	char *state_dir;
	struct migrate_report last;
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

void end_init(struct end *e, uint64_t low, uint64_t high, bool running);
void end_exit(struct end *e);

/** end_start_target() - Listen on loopback; the address. */
void end_start_target(struct end *e, char *address, size_t room);
void end_start_source(struct end *e, const char *address);

/* The same with a VM that isn't the end's own. */
void end_start_target_vm(struct end *e, const struct vm_ops *ops, void *vm,
			 char *address, size_t room);
void end_start_source_vm(struct end *e, const struct vm_ops *ops, void *vm,
			 const char *address);

/** end_wait_final() - Wait until it has ended; false: it doesn't. */
bool end_wait_final(struct end *e);

/** end_wait_state() - Wait for a state; false: it doesn't come. */
bool end_wait_state(struct end *e, enum migrate_state state);

#endif
