// SPDX-License-Identifier: GPL-2.0
/*
 * Machine state of the board: both PICs and the IOAPIC, the PIT, the clock
 * behind kvmclock.
 */
#include "vmm/state.h"

#include <errno.h>
#include <time.h>

#include "lib/log.h"

static const uint32_t chips[] = {
	KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE, KVM_IRQCHIP_IOAPIC,
};

#define NR_CHIPS (sizeof(chips) / sizeof(*chips))

/* Further from now than any stop: hosts whose clocks disagree. */
#define CLOCK_GAP_MAX_NS (600ULL * 1000000000)

int state_irqchip_save(struct vm *vm, struct buf *out, struct err *err)
{
	unsigned int i;
	int ret;

	for (i = 0; i < NR_CHIPS; i++) {
		struct kvm_irqchip chip = { .chip_id = chips[i] };

		ret = kvm_ioctl(vm->vm_fd, KVM_GET_IRQCHIP, &chip);
		if (ret)
			return state_refused(ret, "to tell the irqchip", err);
		buf_put(out, &chip.chip, sizeof(chip.chip));
	}
	return 0;
}

int state_irqchip_load(struct vm *vm, struct reader *in, struct err *err)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < NR_CHIPS && !ret; i++) {
		struct kvm_irqchip chip = { .chip_id = chips[i] };

		reader_get(in, &chip.chip, sizeof(chip.chip));
		if (in->error)
			return in->error;
		ret = kvm_ioctl(vm->vm_fd, KVM_SET_IRQCHIP, &chip);
	}
	return state_refused(ret, "the irqchip's state", err);
}

int state_pit_save(struct vm *vm, struct buf *out, struct err *err)
{
	struct kvm_pit_state2 pit = { 0 };
	int ret = kvm_ioctl(vm->vm_fd, KVM_GET_PIT2, &pit);

	buf_put(out, &pit, sizeof(pit));
	return state_refused(ret, "to tell the PIT", err);
}

int state_pit_load(struct vm *vm, struct reader *in, struct err *err)
{
	struct kvm_pit_state2 pit;

	reader_get(in, &pit, sizeof(pit));
	if (in->error)
		return in->error;
	return state_refused(kvm_ioctl(vm->vm_fd, KVM_SET_PIT2, &pit),
			     "the PIT's state", err);
}

int state_clock_save(struct vm *vm, struct buf *out, struct err *err)
{
	struct kvm_clock_data clock = { 0 };
	int ret = kvm_ioctl(vm->vm_fd, KVM_GET_CLOCK, &clock);
	bool real = clock.flags & KVM_CLOCK_REALTIME;

	buf_put_u64(out, clock.clock);
	buf_put_u64(out, real ? clock.realtime : 0);
	return state_refused(ret, "to tell the clock", err);
}

static uint64_t realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/*
 * The guest's clock goes on by the time that has passed since it was read, if
 * both hosts agree on the time of day; KVM never sets it back.
 */
int state_clock_load(struct vm *vm, struct reader *in, struct err *err)
{
	struct kvm_clock_data clock = { 0 };
	uint64_t realtime, now = realtime_ns();

	clock.clock = reader_u64(in);
	realtime = reader_u64(in);
	if (in->error)
		return in->error;
	if (realtime && now > realtime + CLOCK_GAP_MAX_NS)
		log_warn("%s: this host's clock is %llu s ahead of the source's: the guest's clock goes on from where it was",
			 vm->name, (unsigned long long)
			 (now - realtime) / 1000000000);
	else if (realtime && kvm_has(vm->vm_fd, KVM_CAP_ADJUST_CLOCK) &
		 KVM_CLOCK_REALTIME) {
		clock.flags = KVM_CLOCK_REALTIME;
		clock.realtime = realtime;
	}
	return state_refused(kvm_ioctl(vm->vm_fd, KVM_SET_CLOCK, &clock),
			     "the clock", err);
}
