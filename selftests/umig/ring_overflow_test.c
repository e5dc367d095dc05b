// SPDX-License-Identifier: GPL-2.0
/*
 * A dirty ring that overflows, on this machine's /dev/kvm: a vCPU that writes
 * with a few instructions a page, a ring that is emptied meanwhile by two
 * threads at changing intervals.  A KVM that emulates guests loses entries then.
 * That has to be found out, and the vCPU must never stand still for it.  Passes
 * without a look if there is no /dev/kvm; proves little where nothing overflows.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "umig/flat.h"
#include "umig/writer.h"
#include "vmm/priv.h"

#define PAGES 6000
#define DENSE 1
#define LOOK_MS 2000
#define STARTS 4

static struct vm *start(unsigned int entries)
{
	const struct vm_config config = {
		.name = "test",
		.memory_bytes = 64ULL << 20,
		.cpus = 1,
		.serial = "none",
		.dirty = "ring",
		.dirty_ring_entries = entries,
	};
	struct err err = { 0 };
	struct vm *vm;

	if (flat_skip()) {
		print_message("# SKIP %s\n", flat_skip());
		return NULL;
	}
	if (vm_create(&vm, &config, &err))
		fail_msg("%s", err_text(&err));
	assert_int_equal(writer_boot(vm, PAGES, DENSE, &err), 0);
	assert_int_equal(vm_start(vm, &err), 0);
	assert_true(writer_wait(vm, 2));
	return vm;
}

static void count_run(void *arg, uint64_t gfn, uint64_t pages)
{
	(void)gfn;
	*(uint64_t *)arg += pages;
}

/* Harvest for a while, every 0 to 20 ms; how often the log said it is whole. */
static unsigned int harvest(struct vm *vm, uint64_t *pages)
{
	uint64_t end = clock_now_ns() + LOOK_MS / STARTS * 1000000ULL;
	unsigned int i, whole = 0;

	for (i = 0; clock_now_ns() < end; i++) {
		const struct timespec some = {
			.tv_nsec = i % 5 * (i % 7) * 700000L
		};
		int ret = vm_ops_kvm.dirty_harvest(vm, count_run, pages);

		nanosleep(&some, NULL);
		assert_true(!ret || ret == -EOVERFLOW);
		whole += !ret;
	}
	return whole;
}

static void look(unsigned int entries)
{
	struct vm *vm = start(entries);
	struct vm_counters c;
	struct err err = { 0 };
	unsigned int i, whole = 0;
	uint64_t pages = 0;

	if (!vm)
		return;
	for (i = 0; i < STARTS; i++) {
		assert_int_equal(vm_ops_kvm.dirty_start(vm, &err), 0);
		if (i % 2)	/* looks too, and holds nobody */
			vm_ops_kvm.throttle(vm, 10000000, 90);
		whole += harvest(vm, &pages);
		vm_ops_kvm.throttle(vm, 0, 90);
		assert_true(writer_wait(vm, writer_passes(vm) + 2));
		vm_ops_kvm.dirty_stop(vm);
		assert_true(writer_wait(vm, writer_passes(vm) + 2));
	}
	vm_counters(vm, &c);
	print_message("# %u entries: %llu overflows, %llu times full; %u of %llu harvests whole, of %llu pages\n",
		      entries, (unsigned long long)c.ring_overflows,
		      (unsigned long long)c.exits_ring_full, whole,
		      (unsigned long long)c.harvests,
		      (unsigned long long)pages);
	assert_int_equal(writer_bad(vm), 0);
	assert_int_equal(vm_ops_kvm.stop(vm, &err), 0);
	vm_destroy(vm);
}

/*
 * As after an overflow at the worst moment: what KVM counts can't be seen, and
 * the next entry is looked for where KVM doesn't write it.
 */
static void lose_position(struct vm *vm, uint32_t by)
{
	struct dirty *d = &vm->dirty;
	uint32_t i;

	pthread_mutex_lock(&d->lock);
	d->ring[0].fetch += by;
	for (i = 0; i < d->entries; i++)
		d->ring[0].gfn[i].flags = 0;
	pthread_mutex_unlock(&d->lock);
}

static void position_is_found_from_anywhere(void **state)
{
	static const uint32_t lost_by[] = { 0, 1, 37, 256, 512, 1000, 1023 };
	struct vm *vm = start(DIRTY_RING_ENTRIES_MIN);
	struct err err = { 0 };
	unsigned int i;

	(void)state;
	for (i = 0; vm && i < sizeof(lost_by) / sizeof(lost_by[0]); i++) {
		assert_int_equal(vm_ops_kvm.dirty_start(vm, &err), 0);
		assert_int_equal(vm_ops_kvm.stop(vm, &err), 0);
		lose_position(vm, lost_by[i]);
		assert_int_equal(vm_ops_kvm.start(vm, &err), 0);
		if (!writer_wait(vm, writer_passes(vm) + 3))
			fail_msg("lost by %u: the guest stands still",
				 lost_by[i]);
		vm_ops_kvm.dirty_stop(vm);
		assert_true(writer_wait(vm, writer_passes(vm) + 2));
	}
	vm_destroy(vm);
}

static void small_ring_never_stops_the_guest(void **state)
{
	(void)state;
	look(DIRTY_RING_ENTRIES_MIN);
}

static void large_ring_never_stops_the_guest(void **state)
{
	(void)state;
	look(DIRTY_RING_ENTRIES_DEFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(position_is_found_from_anywhere),
		cmocka_unit_test(small_ring_never_stops_the_guest),
		cmocka_unit_test(large_ring_never_stops_the_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
