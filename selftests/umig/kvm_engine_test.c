// SPDX-License-Identifier: GPL-2.0
/*
 * The engine and the VMM together on this machine's /dev/kvm: a guest that
 * checks its own memory is moved between two VMs of one process while it
 * writes.  SKIP without /dev/kvm.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "migrate/migrate.h"
#include "umig/end.h"
#include "umig/writer.h"

#define MEMORY (64ULL << 20)
#define RING_ENTRIES 1024
#define WRITTEN_PAGES 2000
/* Each page takes at least 16 instructions: a KVM that emulates batches of
 * them overruns a ring otherwise, which is what the probe is for.
 */
#define SPARSE 20
#define DENSE 1

struct host {
	struct vm *vm;
	struct end end;		/* its VM is not used */
};

struct pair {
	struct host source;
	struct host target;
	char address[32];
};

static const struct vm_ops *target_ops = &vm_ops_kvm;

static int make(struct host *h, const char *dirty, uint64_t memory,
		struct err *err)
{
	const struct vm_config config = {
		.name = "test",
		.memory_bytes = memory,
		.cpus = 1,
		.serial = "none",
		.dirty = dirty,
		.dirty_ring_entries = RING_ENTRIES,
	};

	return vm_create(&h->vm, &config, err);
}

static int setup(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));

	end_init(&p->source.end, 1, 1, false);
	end_init(&p->target.end, 1, 1, false);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;

	end_exit(&p->source.end);
	end_exit(&p->target.end);
	vm_destroy(p->source.vm);
	vm_destroy(p->target.vm);
	free(p);
	return 0;
}

/* Start a guest at the source and a VM that waits for it; skip if it can't. */
static void start(struct pair *p, const char *dirty, uint32_t pages,
		  uint32_t delay, uint64_t target_memory)
{
	struct err err = { 0 };

	if (make(&p->source, dirty, MEMORY, &err)) {
		print_message("# SKIP %s\n", err.text);
		skip();
	}
	if (make(&p->target, dirty, target_memory, &err))
		fail_msg("%s", err_text(&err));
	assert_int_equal(writer_boot(p->source.vm, pages, delay, &err), 0);
	assert_int_equal(vm_start(p->source.vm, &err), 0);
	assert_true(writer_wait(p->source.vm, 3));
	assert_int_equal(vm_launch_incoming(p->target.vm, &err), 0);
	end_start_target_vm(&p->target.end, target_ops, p->target.vm,
			    p->address, sizeof(p->address));
}

static bool runs(struct vm *vm)
{
	struct vm_status status;

	vm_status(vm, &status);
	return status.state == VM_STATE_RUNNING;
}

/* A harvest while the guest runs waits until it has written all it writes. */
static int harvest_after_a_pass(void *vm, vm_dirty_fn *fn, void *arg)
{
	if (runs(vm) && !writer_wait(vm, writer_passes(vm) + 2))
		return -ETIMEDOUT;
	return vm_ops_kvm.dirty_harvest(vm, fn, arg);
}

static void migrate(struct pair *p)
{
	static struct vm_ops ops;

	ops = vm_ops_kvm;
	ops.dirty_harvest = harvest_after_a_pass;
	end_start_source_vm(&p->source.end, &ops, p->source.vm, p->address);
	assert_true(end_wait_final(&p->source.end));
}

/* It goes on where it was, and finds all its memory as it left it. */
static void assert_moved(struct pair *p)
{
	uint32_t passes = writer_passes(p->source.vm);

	assert_string_equal(p->source.end.last.error, "");
	assert_int_equal(p->source.end.last.state, MIGRATE_COMPLETED);
	assert_true(end_wait_final(&p->target.end));
	assert_true(p->source.end.last.verified);
	assert_false(runs(p->source.vm));
	assert_true(runs(p->target.vm));
	assert_true(writer_wait(p->target.vm, passes + 3));
	assert_int_equal(writer_bad(p->target.vm), 0);
	assert_int_equal(writer_passes(p->source.vm), passes);
}

static void moves_while_written(struct pair *p, const char *dirty,
				uint32_t delay)
{
	const struct migrate_report *r = &p->source.end.last;
	struct vm_counters c;

	start(p, dirty, WRITTEN_PAGES, delay, MEMORY);
	p->source.end.params.max_rounds = 3;
	p->source.end.params.on_timeout = MIGRATE_ON_TIMEOUT_STOP;
	p->source.end.params.downtime_limit_ns = 0;
	migrate(p);
	assert_moved(p);
	assert_string_equal(r->dirty_source, dirty);
	assert_true(r->rounds >= 2);
	assert_true(r->pages_dirtied > 0);
	assert_true(r->pages_resent > 0);
	vm_counters(p->source.vm, &c);
	assert_int_equal(c.harvested_pages, r->pages_dirtied);
	if (strcmp(dirty, "ring")) {
		assert_true(c.log_gets > 0);
		return;
	}
	assert_true(c.ring_harvested >= r->pages_dirtied);
	/* a pass doesn't fit into the ring */
	assert_true(c.exits_ring_full > 0);
	assert_int_equal(c.ring_overflows, 0);
}

static void dense_writer_moves_by_the_bitmap(void **state)
{
	moves_while_written(*state, "bitmap", DENSE);
}

static void sparse_writer_moves_by_the_bitmap(void **state)
{
	moves_while_written(*state, "bitmap", SPARSE);
}

static void sparse_writer_moves_by_the_ring(void **state)
{
	moves_while_written(*state, "ring", SPARSE);
}

static void dense_writer_moves_by_what_the_probe_chose(void **state)
{
	struct pair *p = *state;

	start(p, "auto", 2000, DENSE, MEMORY);
	/* it would not be done in time under emulation */
	p->source.end.params.max_rounds = 3;
	p->source.end.params.on_timeout = MIGRATE_ON_TIMEOUT_STOP;
	migrate(p);
	assert_moved(p);
	print_message("# the probe chose the %s\n",
		      p->source.end.last.dirty_source);
}

static void smaller_destination_keeps_the_guest_running(void **state)
{
	struct pair *p = *state;
	uint32_t passes;

	start(p, "bitmap", 500, SPARSE, MEMORY / 2);
	migrate(p);
	assert_int_equal(p->source.end.last.state, MIGRATE_FAILED);
	assert_non_null(strstr(p->source.end.last.error, "\"memory\""));
	assert_true(runs(p->source.vm));
	passes = writer_passes(p->source.vm);
	assert_true(writer_wait(p->source.vm, passes + 3));
	assert_int_equal(writer_bad(p->source.vm), 0);
}

static void guest_runs_on_here_after_a_late_failure(void **state)
{
	struct pair *p = *state;
	struct err err = { 0 };
	uint32_t passes;

	start(p, "bitmap", 500, SPARSE, MEMORY);
	/* the destination dies between the hello and the handover */
	end_start_source_vm(&p->source.end, &vm_ops_kvm, p->source.vm,
			    p->address);
	assert_true(end_wait_state(&p->source.end, MIGRATE_PRECOPY));
	migration_cancel(p->target.end.m);
	assert_true(end_wait_final(&p->source.end));
	assert_true(end_wait_final(&p->target.end));
	if (p->source.end.last.state == MIGRATE_COMPLETED) {
		assert_moved(p);
		return;		/* it was faster than the cancel */
	}
	assert_true(runs(p->source.vm));
	passes = writer_passes(p->source.vm);
	assert_true(writer_wait(p->source.vm, passes + 3));
	assert_int_equal(writer_bad(p->source.vm), 0);

	/* and a second migration, to a fresh destination, succeeds */
	vm_destroy(p->target.vm);
	end_exit(&p->target.end);
	end_init(&p->target.end, 1, 1, false);
	migration_free(p->source.end.m);
	p->source.end.m = NULL;
	assert_int_equal(make(&p->target, "bitmap", MEMORY, &err), 0);
	assert_int_equal(vm_launch_incoming(p->target.vm, &err), 0);
	end_start_target_vm(&p->target.end, &vm_ops_kvm, p->target.vm,
			    p->address, sizeof(p->address));
	migrate(p);
	assert_moved(p);
}

static void guest_that_was_paused_arrives_paused(void **state)
{
	struct pair *p = *state;
	struct err err = { 0 };
	uint32_t passes;

	start(p, "bitmap", 500, SPARSE, MEMORY);
	assert_int_equal(vm_pause(p->source.vm, VM_PAUSE_OPERATOR, &err), 0);
	migrate(p);
	assert_int_equal(p->source.end.last.state, MIGRATE_COMPLETED);
	assert_true(end_wait_final(&p->target.end));
	assert_false(runs(p->target.vm));
	passes = writer_passes(p->target.vm);
	assert_int_equal(vm_resume(p->target.vm, VM_PAUSE_OPERATOR, &err), 0);
	assert_true(writer_wait(p->target.vm, passes + 3));
	assert_int_equal(writer_bad(p->target.vm), 0);
	assert_int_equal(writer_passes(p->source.vm), passes);
}

/* How many of this process's vCPUs have a nice value below its own. */
static int favoured(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *d;
	int n = 0, own = getpriority(PRIO_PROCESS, 0);
	char path[300], name[16];
	FILE *f;

	assert_non_null(tasks);
	while ((d = readdir(tasks))) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm",
			 d->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		n += fgets(name, sizeof(name), f) &&
		     !strncmp(name, "vcpu ", 5) &&
		     getpriority(PRIO_PROCESS, atoi(d->d_name)) < own;
		fclose(f);
	}
	closedir(tasks);
	return n;
}

static bool may_favour(void)
{
	int own = getpriority(PRIO_PROCESS, 0);

	return !setpriority(PRIO_PROCESS, 0, own - 1) &&
	       !setpriority(PRIO_PROCESS, 0, own);
}

static int favoured_when_started = -1;

static int start_and_look(void *vm, struct err *err)
{
	uint64_t began = clock_now_ns();
	int ret = vm_ops_kvm.start(vm, err), n = favoured();

	if (clock_now_ns() - began < 1000000000)
		favoured_when_started = n;
	return ret;
}

static void guest_that_arrives_has_a_head_start_of_a_second(void **state)
{
	static struct vm_ops ops;
	struct pair *p = *state;
	uint64_t until;

	ops = vm_ops_kvm;
	ops.start = start_and_look;
	target_ops = &ops;
	start(p, "bitmap", 500, SPARSE, MEMORY);
	target_ops = &vm_ops_kvm;
	assert_int_equal(favoured(), 0);
	migrate(p);
	assert_moved(p);
	if (!may_favour())
		print_message("# not allowed to: nothing to see\n");
	else if (favoured_when_started < 0)
		print_message("# too slow to see it\n");
	else
		assert_int_equal(favoured_when_started, 1);
	until = clock_now_ns() + 60000000000;
	while (favoured() && clock_now_ns() < until)
		usleep(50000);
	assert_int_equal(favoured(), 0);
}

#define KVM_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		KVM_TEST(sparse_writer_moves_by_the_bitmap),
		KVM_TEST(dense_writer_moves_by_the_bitmap),
		KVM_TEST(sparse_writer_moves_by_the_ring),
		KVM_TEST(dense_writer_moves_by_what_the_probe_chose),
		KVM_TEST(smaller_destination_keeps_the_guest_running),
		KVM_TEST(guest_runs_on_here_after_a_late_failure),
		KVM_TEST(guest_that_was_paused_arrives_paused),
		KVM_TEST(guest_that_arrives_has_a_head_start_of_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
