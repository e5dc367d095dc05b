// SPDX-License-Identifier: GPL-2.0
/*
 * Machine state: a vCPU's MSRs.
 *
 *	u32 count, each: u32 index, u64 value
 *
 * Which: those that KVM lists (KVM_GET_MSR_INDEX_LIST), and those that it
 * keeps without listing them (MTRRs, machine check banks), without those that
 * belong to what the guest doesn't have or that must not be written back.
 */
#include "vmm/state.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MSR_IA32_TSC_DEADLINE 0x6e0
#define MSRS_MAX 1024

struct range {
	uint32_t first;
	uint32_t last;
};

/* Kept by KVM, but not in its list. */
static const struct range unlisted[] = {
	{ 0x200, 0x20f },	/* MTRR variable ranges */
	{ 0x250, 0x250 },	/* MTRR fixed ranges */
	{ 0x258, 0x259 },
	{ 0x268, 0x26f },
	{ 0x2ff, 0x2ff },	/* MTRR default type */
	{ 0x400, 0x47f },	/* machine check banks */
};

static const struct range left_out[] = {
	/*
	 * kvmclock's wall clock: writing the MSR writes guest memory, which is
	 * complete and compared already.  A guest that wants the value asks.
	 */
	{ 0x11, 0x11 },
	{ 0x4b564d00, 0x4b564d00 },
	/* The old number of kvmclock's system time: the new one is saved. */
	{ 0x12, 0x12 },
	{ 0x40000000, 0x400001ff },	/* Hyper-V: not offered */
	{ 0x480, 0x4ff },		/* VMX: not offered */
	{ 0xc1, 0xc8 },			/* performance counters: not offered */
	{ 0x186, 0x18d },
	{ 0x309, 0x30b },
	{ 0x345, 0x345 },
	{ 0x38d, 0x390 },
	{ 0x3f1, 0x3f2 },
	{ 0x600, 0x600 },
	{ 0x4c1, 0x4c8 },
	{ 0xc0000300, 0xc0000303 },
	{ 0xc0010000, 0xc0010007 },
	{ 0xc0010200, 0xc001020b },
	{ 0x560, 0x58f },		/* processor trace: not offered */
	{ 0x9e, 0x9e },			/* SMM: not offered */
};

static bool within(const struct range *r, unsigned int nr, uint32_t index)
{
	for (; nr; nr--, r++)
		if (index >= r->first && index <= r->last)
			return true;
	return false;
}

#define WITHIN(ranges, index)						\
	within(ranges, sizeof(ranges) / sizeof(*(ranges)), index)

static int get_msr(struct vcpu *v, uint32_t index, uint64_t *value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} one = { .head.nmsrs = 1, .entry.index = index };
	int ret = kvm_ioctl(v->fd, KVM_GET_MSRS, &one);

	*value = one.entry.data;
	return ret == 1 ? 0 : ret < 0 ? ret : -ENOENT;
}

static int set_msr(struct vcpu *v, uint32_t index, uint64_t value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} one = {
		.head.nmsrs = 1,
		.entry = { .index = index, .data = value },
	};
	int ret = kvm_ioctl(v->fd, KVM_SET_MSRS, &one);

	return ret == 1 ? 0 : ret < 0 ? ret : -EINVAL;
}

static struct kvm_msr_list *msr_list(struct vm *vm)
{
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + MSRS_MAX *
					   sizeof(list->indices[0]));

	if (!list)
		return NULL;
	list->nmsrs = MSRS_MAX;
	if (!kvm_ioctl(vm->kvm_fd, KVM_GET_MSR_INDEX_LIST, list))
		return list;
	free(list);
	return NULL;
}

/* An MSR that can't be read isn't there: the guest can't read it either. */
static uint32_t save_one(struct vcpu *v, uint32_t index, struct buf *out)
{
	uint64_t value;

	if (get_msr(v, index, &value))
		return 0;
	buf_put_u32(out, index);
	buf_put_u64(out, value);
	return 1;
}

static uint32_t save_unlisted(struct vcpu *v, struct buf *out)
{
	uint32_t index, n = 0;
	unsigned int i;

	for (i = 0; i < sizeof(unlisted) / sizeof(*unlisted); i++)
		for (index = unlisted[i].first; index <= unlisted[i].last;
		     index++)
			n += save_one(v, index, out);
	return n;
}

int state_msrs_save(struct vcpu *v, struct buf *out, struct err *err)
{
	struct kvm_msr_list *list = msr_list(v->vm);
	size_t at = out->len;
	uint32_t i, n;

	if (!list)
		return err_set(err, -EIO, "KVM refuses to list its MSRs");
	buf_put_u32(out, 0);
	n = save_unlisted(v, out);
	for (i = 0; i < list->nmsrs; i++)
		if (!WITHIN(left_out, list->indices[i]) &&
		    !WITHIN(unlisted, list->indices[i]))
			n += save_one(v, list->indices[i], out);
	free(list);
	if (out->error)
		return out->error;
	n = htole32(n);
	memcpy(out->data + at, &n, sizeof(n));
	return 0;
}

/*
 * An MSR that this KVM doesn't let us set is no loss if it has that value
 * anyway, or if it is unknown here and was never used there.
 */
static int load_one(struct vcpu *v, uint32_t index, uint64_t value,
		    struct err *err)
{
	int ret = set_msr(v, index, value);
	uint64_t here = 0;

	if (!ret)
		return 0;
	if (get_msr(v, index, &here))
		here = 0;
	if (here == value)
		return 0;
	return err_set(err, -EXDEV,
		       "vCPU %u: this host's KVM refuses MSR 0x%x = 0x%llx",
		       v->id, index, (unsigned long long)value);
}

static int load_checked(struct vcpu *v, uint32_t index, uint64_t value,
			struct err *err)
{
	/* Not what a source of ours saves: it would reach guest memory. */
	if (WITHIN(left_out, index))
		return -EBADMSG;
	return load_one(v, index, value, err);
}

int state_msrs_load(struct vcpu *v, struct reader *in, struct err *err)
{
	uint64_t value, deadline = 0;
	uint32_t index, n = reader_u32(in);
	int ret = 0;

	if (n > MSRS_MAX + 256)
		return -EBADMSG;
	while (n-- && !ret) {
		index = reader_u32(in);
		value = reader_u64(in);
		if (in->error)
			return in->error;
		if (index == MSR_IA32_TSC_DEADLINE)
			deadline = value;
		else
			ret = load_checked(v, index, value, err);
	}
	/* It is compared with the TSC at once. */
	if (!ret && deadline)
		ret = load_one(v, MSR_IA32_TSC_DEADLINE, deadline, err);
	return ret;
}
