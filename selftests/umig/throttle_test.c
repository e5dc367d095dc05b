// SPDX-License-Identifier: GPL-2.0
/*
 * Throttling on this machine's /dev/kvm: of two vCPUs one dirties memory as
 * fast as it can, the other counts in one page.  The first one is slowed down,
 * the second one never is.  Passes without a look if there is no /dev/kvm.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "umig/end.h"
#include "umig/flat.h"
#include "umig/writer.h"
#include "vmm/priv.h"

#define COUNTER_CODE 0x20000
#define COUNTER 0x9000
#define PAGES 4000
#define SPARE 20	/* more than 16 instructions a page: see the probe */
#define LOOK_MS 600
#define LOOKS 5	/* each twice as long as the one before */

/* "1: incl COUNTER; many turns; jmp 1b": far less than vCPU 0 dirties */
static const uint8_t counter_code[] = {
	0xff, 0x05, 0x00, 0x90, 0x00, 0x00,	/* incl 0x9000 */
	0xb9, 0x00, 0x04, 0x00, 0x00,		/* mov $1024, %ecx */
	0x49,					/* dec %ecx */
	0x75, 0xfd,				/* jnz .-1 */
	0xeb, 0xf0,				/* jmp to the begin */
};

static int make(struct vm **vm, const char *dirty, struct err *err)
{
	const struct vm_config config = {
		.name = "test",
		.memory_bytes = 64ULL << 20,
		.cpus = 2,
		.serial = "none",
		.dirty = dirty,
	};

	return vm_create(vm, &config, err);
}

/* vCPU 1 begins as vCPU 0 does, but elsewhere. */
static void boot_counter(struct vm *vm)
{
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct kvm_sregs own, sregs;
	struct kvm_regs regs;

	memcpy(memslots_hva(&vm->slots, COUNTER_CODE >> UMIG_PAGE_SHIFT),
	       counter_code, sizeof(counter_code));
	assert_int_equal(ioctl(vm->vcpu[1].fd, KVM_GET_SREGS, &own), 0);
	assert_int_equal(ioctl(vm->vcpu[0].fd, KVM_GET_SREGS, &sregs), 0);
	assert_int_equal(ioctl(vm->vcpu[0].fd, KVM_GET_REGS, &regs), 0);
	sregs.apic_base = own.apic_base;
	regs.rip = COUNTER_CODE;
	assert_int_equal(ioctl(vm->vcpu[1].fd, KVM_SET_SREGS, &sregs), 0);
	assert_int_equal(ioctl(vm->vcpu[1].fd, KVM_SET_REGS, &regs), 0);
	assert_int_equal(ioctl(vm->vcpu[1].fd, KVM_SET_MP_STATE, &runnable),
			 0);
}

static uint32_t counted(struct vm *vm)
{
	return *(volatile uint32_t *)memslots_hva(&vm->slots,
						  COUNTER >> UMIG_PAGE_SHIFT);
}

static void ignore_run(void *arg, uint64_t gfn, uint64_t pages)
{
	(void)arg;
	(void)gfn;
	(void)pages;
}

/**
 * struct pages - That vCPU 0 dirtied: a second, and while vCPU 1 counted one.
 * @held: the part of the time for which it was held.
 */
struct pages {
	double per_s;
	double per_count;
	double held;
};

/*
 * Harvest for a while as the engine does.  Whatever else the machine has to do,
 * both vCPUs have their part of that.
 */
static struct pages look(struct vm *vm, unsigned int ms)
{
	const struct timespec tick = { .tv_nsec = 10000000 };
	uint64_t began = clock_now_ns(), end = began + ms * 1000000ULL;
	struct vm_vcpu_counters from, to;
	uint32_t at = counted(vm);
	double pages, ns;

	vm_vcpu_counters(vm, 0, &from);
	while (clock_now_ns() < end || counted(vm) == at) {
		nanosleep(&tick, NULL);
		assert_int_equal(vm_ops_kvm.dirty_harvest(vm, ignore_run,
							  NULL), 0);
	}
	vm_vcpu_counters(vm, 0, &to);
	pages = to.dirtied - from.dirtied;
	ns = clock_now_ns() - began;
	assert_true(pages > 0);
	return (struct pages){ pages * 1e9 / ns,
			       pages / (uint32_t)(counted(vm) - at),
			       (to.held_ns - from.held_ns) / ns };
}

/*
 * Held to an eighth.  That is what it does on an idle machine; where it has to
 * wait for a processor for most of the time anyway, standing still costs less.
 */
static bool is_slowed_down(struct vm *vm, unsigned int ms)
{
	struct pages fast, slow;

	assert_int_equal(vm_ops_kvm.throttle(vm, 0, 10), 0);
	fast = look(vm, ms);
	assert_int_equal(vm_ops_kvm.throttle(vm, fast.per_s / 8, 10), 0);
	slow = look(vm, ms);
	print_message("# %.0f pages a second, %.1f to a count; then %.0f, %.1f, held for %.0f %% of the time\n",
		      fast.per_s, fast.per_count, slow.per_s, slow.per_count,
		      slow.held * 100);
	return slow.held > 0 && slow.per_count < fast.per_count * 0.7;
}

static struct vm *start(const char *dirty)
{
	struct err err = { 0 };
	struct vm *vm;

	if (flat_skip()) {
		print_message("# SKIP %s\n", flat_skip());
		return NULL;
	}
	if (make(&vm, dirty, &err))
		fail_msg("%s", err_text(&err));
	assert_int_equal(writer_boot(vm, PAGES, SPARE, &err), 0);
	boot_counter(vm);
	assert_int_equal(vm_start(vm, &err), 0);
	assert_true(writer_wait(vm, 2));
	assert_int_equal(vm_ops_kvm.dirty_start(vm, &err), 0);
	return vm;
}

static void only_the_offender_is_slowed_down(void **state)
{
	struct vm *vm = start("ring");
	struct vm_vcpu_counters c;
	struct err err = { 0 };
	unsigned int i = 0;
	uint64_t holds;

	(void)state;
	if (!vm)
		return;
	/* a machine that is busy may favour one of them, but not for long */
	while (!is_slowed_down(vm, LOOK_MS << i))
		assert_true(++i < LOOKS);
	vm_vcpu_counters(vm, 0, &c);
	assert_true(c.holds > 0);
	vm_vcpu_counters(vm, 1, &c);
	assert_int_equal(c.holds, 0);
	assert_int_equal(c.exits_ring_full, 0);
	assert_false(vm_vcpu_counters(vm, 2, &c));

	assert_int_equal(vm_ops_kvm.throttle(vm, 0, 10), 0);
	vm_vcpu_counters(vm, 0, &c);
	holds = c.holds;
	look(vm, LOOK_MS);
	vm_vcpu_counters(vm, 0, &c);
	assert_true(c.holds <= holds + 1);	/* one may have been under way */
	assert_int_equal(writer_bad(vm), 0);
	assert_int_equal(vm_ops_kvm.stop(vm, &err), 0);
	vm_destroy(vm);
}

/* A vCPU that is held must not hold up the blackout. */
static void stop_does_not_wait_for_those_that_are_held(void **state)
{
	struct vm *vm = start("ring");
	struct vm_status status;
	struct err err = { 0 };
	unsigned int i;

	(void)state;
	if (!vm)
		return;
	for (i = 0; i < 10; i++) {
		const struct timespec some = { .tv_nsec = 30000000 };

		assert_int_equal(vm_ops_kvm.throttle(vm, 64, 5), 0);
		nanosleep(&some, NULL);
		assert_int_equal(vm_ops_kvm.stop(vm, &err), 0);
		vm_status(vm, &status);
		assert_int_equal(status.state, VM_STATE_PAUSED);
		assert_int_equal(vm->nr_parked, 2);
		assert_int_equal(vm_ops_kvm.start(vm, &err), 0);
		assert_true(writer_wait(vm, writer_passes(vm) + 1));
	}
	assert_int_equal(writer_bad(vm), 0);
	vm_ops_kvm.dirty_stop(vm);
	vm_destroy(vm);
}

static void bitmap_does_not_know_the_offender(void **state)
{
	struct vm *vm = start("bitmap");

	(void)state;
	if (!vm)
		return;
	assert_int_equal(vm_ops_kvm.throttle(vm, 1000, 25), -EOPNOTSUPP);
	assert_int_equal(vm_ops_kvm.throttle(vm, 0, 25), -EOPNOTSUPP);
	vm_destroy(vm);
}

/* A link that takes less than vCPU 0 dirties, and more than its floor. */
static void guest_faster_than_the_link_moves(void **state)
{
	struct end source, target;
	struct vm_vcpu_counters c;
	struct vm *vm = start("ring"), *there;
	struct err err = { 0 };
	char address[32];

	(void)state;
	if (!vm)
		return;
	vm_ops_kvm.dirty_stop(vm);
	assert_int_equal(make(&there, "ring", &err), 0);
	assert_int_equal(vm_launch_incoming(there, &err), 0);
	end_init(&source, 1, 1, false);
	end_init(&target, 1, 1, false);
	end_start_target_vm(&target, &vm_ops_kvm, there, address,
			    sizeof(address));
	source.params.bandwidth = 64 << 20;
	source.params.on_timeout = MIGRATE_ON_TIMEOUT_STOP;
	end_start_source_vm(&source, &vm_ops_kvm, vm, address);
	assert_true(end_wait_final(&source));
	assert_true(end_wait_final(&target));
	assert_string_equal(source.last.error, "");
	assert_int_equal(source.last.state, MIGRATE_COMPLETED);
	assert_true(source.last.verified);
	vm_vcpu_counters(vm, 1, &c);
	assert_int_equal(c.holds, 0);
	assert_int_equal(c.exits_ring_full, 0);
	vm_vcpu_counters(vm, 0, &c);
	print_message("# %s after %llu rounds, held to %llu pages a second, for %.0f ms at most; predicted %.0f ms, downtime %.0f ms\n",
		      source.last.stop_reason,
		      (unsigned long long)source.last.rounds,
		      (unsigned long long)source.last.throttle_pages_s,
		      c.held_longest_ns / 1e6, source.last.predicted_ns / 1e6,
		      source.last.downtime_ns / 1e6);
	assert_true(!c.holds || source.last.throttle_pages_s);
	assert_true(writer_wait(there, writer_passes(vm) + 2));
	assert_int_equal(writer_bad(there), 0);
	end_exit(&source);
	end_exit(&target);
	vm_destroy(vm);
	vm_destroy(there);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_offender_is_slowed_down),
		cmocka_unit_test(stop_does_not_wait_for_those_that_are_held),
		cmocka_unit_test(guest_faster_than_the_link_moves),
		cmocka_unit_test(bitmap_does_not_know_the_offender),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
