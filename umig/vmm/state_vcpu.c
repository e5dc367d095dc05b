// SPDX-License-Identifier: GPL-2.0
/*
 * Machine state of a vCPU.  The kernel's structs are stored as they are: they
 * are fixed-size, little endian and ABI on x86.
 *
 *	mp_state, vcpu_events, regs, sregs2, debugregs, xcrs
 *	u32 length of xsave, xsave
 *	lapic
 *	u32 TSC kHz
 *	MSRs (state_msrs.c)
 *
 * Asking for mp_state makes KVM take pending INITs and SIPIs, so that is asked
 * first.  Loading goes from what gives others their meaning (the APIC's mode
 * in sregs) to what depends on it (its registers, then the TSC deadline among
 * the MSRs), with events and mp_state last.
 */
#include "vmm/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

/* What an NTP-disciplined clock can follow: beyond it times drift visibly. */
#define TSC_TOLERANCE_PPM 250

#define XSAVE_LEGACY_BYTES 4096
#define XSAVE_BYTES_MAX (1 << 20)

struct vcpu_state {
	struct kvm_mp_state mp;
	struct kvm_vcpu_events events;
	struct kvm_regs regs;
	struct kvm_sregs2 sregs;
	struct kvm_debugregs debugregs;
	struct kvm_xcrs xcrs;
	struct kvm_lapic_state lapic;
};

/* One row: a request pair and where its struct lies in vcpu_state. */
struct row {
	const char *what;
	unsigned long get;
	unsigned long set;
	size_t offset;
	size_t bytes;
};

#define ROW(what, get, set, member) {					\
	what, get, set, offsetof(struct vcpu_state, member),		\
	sizeof(((struct vcpu_state *)0)->member) }

/* In the order of the format, which is the order of asking. */
enum { MP, EVENTS, REGS, SREGS, DEBUGREGS, XCRS, LAPIC, NR_ROWS };
static const struct row rows[NR_ROWS] = {
	[MP] = ROW("mp_state", KVM_GET_MP_STATE, KVM_SET_MP_STATE, mp),
	[EVENTS] = ROW("pending events", KVM_GET_VCPU_EVENTS,
		       KVM_SET_VCPU_EVENTS, events),
	[REGS] = ROW("registers", KVM_GET_REGS, KVM_SET_REGS, regs),
	[SREGS] = ROW("segment and control registers", KVM_GET_SREGS2,
		      KVM_SET_SREGS2, sregs),
	[DEBUGREGS] = ROW("debug registers", KVM_GET_DEBUGREGS,
			  KVM_SET_DEBUGREGS, debugregs),
	[XCRS] = ROW("XCRs", KVM_GET_XCRS, KVM_SET_XCRS, xcrs),
	[LAPIC] = ROW("local APIC", KVM_GET_LAPIC, KVM_SET_LAPIC, lapic),
};

static int refused(const struct vcpu *v, int ret, const char *verb,
		   const char *what, struct err *err)
{
	return err_set(err, ret, "vCPU %u: KVM refuses to %s its %s: %s",
		       v->id, verb, what, strerror(-ret));
}

static int save_row(struct vcpu *v, int i, struct buf *out, struct err *err)
{
	struct vcpu_state state = { 0 };
	uint8_t *at = (uint8_t *)&state + rows[i].offset;
	int ret = kvm_ioctl(v->fd, rows[i].get, at);

	if (ret)
		return refused(v, ret, "tell", rows[i].what, err);
	buf_put(out, at, rows[i].bytes);
	return 0;
}

static int load_row(struct vcpu *v, int i, struct vcpu_state *state,
		    struct err *err)
{
	int ret = kvm_ioctl(v->fd, rows[i].set,
			    (uint8_t *)state + rows[i].offset);

	return ret ? refused(v, ret, "set", rows[i].what, err) : 0;
}

static uint32_t xsave_bytes(const struct vm *vm)
{
	int bytes = kvm_has(vm->vm_fd, KVM_CAP_XSAVE2);

	return bytes > XSAVE_LEGACY_BYTES ? bytes : XSAVE_LEGACY_BYTES;
}

static int save_xsave(struct vcpu *v, struct buf *out, struct err *err)
{
	uint32_t bytes = xsave_bytes(v->vm);
	void *at;
	int ret;

	buf_put_u32(out, bytes);
	at = buf_reserve(out, bytes);
	if (!at)
		return out->error;
	memset(at, 0, bytes);
	ret = kvm_ioctl(v->fd, bytes > XSAVE_LEGACY_BYTES ? KVM_GET_XSAVE2 :
			KVM_GET_XSAVE, at);
	return ret ? refused(v, ret, "tell", "FPU state", err) : 0;
}

/* The source's may be shorter than what this KVM reads: the rest is unused. */
static int load_xsave(struct vcpu *v, const void *data, uint32_t bytes,
		      struct err *err)
{
	uint32_t room = xsave_bytes(v->vm);
	void *copy;
	int ret;

	if (bytes > room)
		return err_set(err, -EXDEV,
			       "vCPU %u: the source's FPU state has %u bytes, this host's %u",
			       v->id, bytes, room);
	copy = calloc(1, room);
	if (!copy)
		return err_set(err, -ENOMEM, "out of memory");
	memcpy(copy, data, bytes);
	ret = kvm_ioctl(v->fd, KVM_SET_XSAVE, copy);
	free(copy);
	return ret ? refused(v, ret, "set", "FPU state", err) : 0;
}

static int load_tsc_khz(struct vcpu *v, uint32_t khz)
{
	int here = kvm_ioctl_value(v->fd, KVM_GET_TSC_KHZ, 0);
	uint64_t off;

	if (here <= 0 || !khz)
		return 0;
	off = khz > (uint32_t)here ? khz - here : here - khz;
	if (off * 1000000 <= (uint64_t)here * TSC_TOLERANCE_PPM)
		return 0;
	/*
	 * Guests are told by kvmclock and have no invariant TSC (cpuid.c), so
	 * they keep time all the same.
	 */
	if (kvm_ioctl_value(v->fd, KVM_SET_TSC_KHZ, khz) && !v->id)
		log_warn("%s: the guest's TSC ran at %u kHz, here it runs at %d and can't be scaled: a guest that doesn't use kvmclock will lose time",
			 v->vm->name, khz, here);
	return 0;
}

int state_vcpu_save(struct vcpu *v, struct buf *out, struct err *err)
{
	int i, khz, ret = 0;

	for (i = MP; i <= XCRS && !ret; i++)
		ret = save_row(v, i, out, err);
	if (!ret)
		ret = save_xsave(v, out, err);
	if (!ret)
		ret = save_row(v, LAPIC, out, err);
	if (ret)
		return ret;
	khz = kvm_ioctl_value(v->fd, KVM_GET_TSC_KHZ, 0);
	buf_put_u32(out, khz > 0 ? khz : 0);
	return state_msrs_save(v, out, err);
}

int state_vcpu_load(struct vcpu *v, struct reader *in, struct err *err)
{
	static const int before_msrs[] = {
		XCRS, REGS, SREGS, DEBUGREGS, LAPIC,
	};
	struct vcpu_state state;
	uint32_t bytes, khz;
	const void *xsave;
	unsigned int i;
	int ret;

	for (i = MP; i <= XCRS; i++)
		reader_get(in, (uint8_t *)&state + rows[i].offset,
			   rows[i].bytes);
	bytes = reader_u32(in);
	xsave = bytes <= XSAVE_BYTES_MAX ? reader_take(in, bytes) : NULL;
	reader_get(in, &state.lapic, sizeof(state.lapic));
	khz = reader_u32(in);
	if (in->error || !xsave || bytes < XSAVE_LEGACY_BYTES)
		return -EBADMSG;
	ret = load_tsc_khz(v, khz);
	if (!ret)
		ret = load_xsave(v, xsave, bytes, err);
	for (i = 0; i < sizeof(before_msrs) / sizeof(*before_msrs) && !ret; i++)
		ret = load_row(v, before_msrs[i], &state, err);
	if (!ret)
		ret = state_msrs_load(v, in, err);
	if (!ret)
		ret = load_row(v, EVENTS, &state, err);
	return ret ? ret : load_row(v, MP, &state, err);
}
