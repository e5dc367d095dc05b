// SPDX-License-Identifier: GPL-2.0
/*
 * The soundness probe of the dirty ring: see dirty_probe.h.  Its guest has one
 * vCPU, no irqchip and 20 MiB, writes PROBE_PAGES pages once a pass and tells
 * by a port when the pass is over; the host then holds the ring's account
 * against what it knows was written.
 */
#include "mem/dirty_probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/bitmap.h"
#include "lib/clock.h"
#include "mem/dirty.h"
#include "mem/memslots.h"
#include "lib/kvm.h"

#define PROBE_RING 1024
#define PROBE_PAGES 4096
#define PROBE_PASSES 2
#define PROBE_FIRST_GFN 0x400
#define PROBE_MEMORY ((uint64_t)(PROBE_FIRST_GFN + PROBE_PAGES) << 12)
#define PROBE_CODE 0x1000
#define PROBE_LIMIT_NS 5000000000ULL

#define STR_(x) #x
#define STR(x) STR_(x)

/* Four instructions a page; a pass ends with "out %al, $0xf4". */
__asm__(".pushsection .rodata\n"
	".code32\n"
	"dirty_probe_code:\n"
	"1:	mov	$" STR(PROBE_FIRST_GFN) " << 12, %edi\n"
	"2:	mov	%edi, (%edi)\n"
	"	add	$0x1000, %edi\n"
	"	cmp	$(" STR(PROBE_FIRST_GFN) " + " STR(PROBE_PAGES)
	") << 12, %edi\n"
	"	jb	2b\n"
	"	out	%al, $0xf4\n"
	"	jmp	1b\n"
	"dirty_probe_code_end:\n"
	".code64\n"
	".popsection\n");
extern const uint8_t dirty_probe_code[], dirty_probe_code_end[];

struct probe {
	struct dirty dirty;
	struct memslots slots;
	int vm_fd;
	int vcpu_fd;
	void *ram;
	struct kvm_run *run;
	size_t run_bytes;
	uint64_t *seen;
	uint64_t began_ns;
};

static void note_run(void *arg, uint64_t gfn, uint64_t pages)
{
	struct probe *p = arg;

	bitmap_set_run(p->seen, gfn, pages);
}

static int run_pass(struct probe *p)
{
	int ret;

	while (clock_now_ns() - p->began_ns < PROBE_LIMIT_NS) {
		ret = kvm_ioctl(p->vcpu_fd, KVM_RUN, NULL);
		if (ret)
			return ret;
		switch (p->run->exit_reason) {
		case KVM_EXIT_IO:
			return 0;
		case KVM_EXIT_DIRTY_RING_FULL:
			ret = dirty_full(&p->dirty, 0);
			if (ret)
				return ret;
			break;
		default:
			return -EPROTO;
		}
	}
	return -ETIMEDOUT;
}

static int count_pass(struct probe *p, struct dirty_probe *out)
{
	int ret = dirty_harvest(&p->dirty, note_run, p);
	uint64_t i;

	if (ret && ret != -EOVERFLOW)
		return ret;
	out->pages += PROBE_PAGES;
	for (i = 0; i < PROBE_PAGES; i++)
		out->missed += !bitmap_test(p->seen, PROBE_FIRST_GFN + i);
	memset(p->seen, 0, BITMAP_WORDS(p->slots.pages) * sizeof(*p->seen));
	return 0;
}

static int run_passes(struct probe *p, struct dirty_probe *out,
		      struct err *err)
{
	int i, ret = dirty_start(&p->dirty, err);

	for (i = 0; i < PROBE_PASSES && !ret; i++) {
		ret = run_pass(p);
		if (!ret)
			ret = count_pass(p, out);
	}
	dirty_stop(&p->dirty);
	out->ring_full = p->dirty.count.ring_full;
	out->overflows = p->dirty.count.ring_overflows;
	return ret;
}

static int make_memory(struct probe *p)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = PROBE_MEMORY,
	};
	int ret;

	p->ram = mmap(NULL, PROBE_MEMORY, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	p->seen = bitmap_alloc(PROBE_MEMORY >> UMIG_PAGE_SHIFT);
	if (p->ram == MAP_FAILED || !p->seen)
		return -ENOMEM;
	region.userspace_addr = (uintptr_t)p->ram;
	memcpy((uint8_t *)p->ram + PROBE_CODE, dirty_probe_code,
	       dirty_probe_code_end - dirty_probe_code);
	ret = memslots_add(&p->slots, 0, PROBE_MEMORY >> UMIG_PAGE_SHIFT,
			   p->ram);
	if (ret)
		return ret;
	return kvm_ioctl(p->vm_fd, KVM_SET_USER_MEMORY_REGION, &region);
}

static int make_vcpu(struct probe *p, int kvm_fd, struct err *err)
{
	int ret = dirty_init(&p->dirty, &dirty_ring_ops, p->vm_fd, &p->slots,
			     PROBE_RING, err);

	if (ret)
		return ret;
	p->vcpu_fd = kvm_ioctl_value(p->vm_fd, KVM_CREATE_VCPU, 0);
	if (p->vcpu_fd < 0)
		return p->vcpu_fd;
	p->run_bytes = kvm_ioctl_value(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	p->run = mmap(NULL, p->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		      p->vcpu_fd, 0);
	if (p->run == MAP_FAILED)
		return -errno;
	ret = dirty_attach(&p->dirty, p->vcpu_fd, err);
	return ret ? ret : kvm_set_flat32(p->vcpu_fd, PROBE_CODE);
}

static int probe_vm(struct probe *p, int kvm_fd, struct dirty_probe *out,
		    struct err *err)
{
	int ret = kvm_create_vm(kvm_fd, err);

	if (ret < 0)
		return ret;
	p->vm_fd = ret;
	/* Where VMX keeps its own pages; others ignore or lack it. */
	kvm_ioctl_value(p->vm_fd, KVM_SET_TSS_ADDR, 0xfffbd000);
	ret = make_memory(p);
	if (!ret)
		ret = make_vcpu(p, kvm_fd, err);
	if (!ret)
		ret = run_passes(p, out, err);
	return ret;
}

int dirty_probe_run(int kvm_fd, struct dirty_probe *out, struct err *err)
{
	struct probe p = {
		.vm_fd = -1,
		.vcpu_fd = -1,
		.ram = MAP_FAILED,
		.run = MAP_FAILED,
		.began_ns = clock_now_ns(),
	};
	int ret;

	*out = (struct dirty_probe){ 0 };
	ret = probe_vm(&p, kvm_fd, out, err);
	out->ns = clock_now_ns() - p.began_ns;
	dirty_exit(&p.dirty);
	if (p.run != MAP_FAILED)
		munmap(p.run, p.run_bytes);
	if (p.vcpu_fd >= 0)
		close(p.vcpu_fd);
	if (p.vm_fd >= 0)
		close(p.vm_fd);
	if (p.ram != MAP_FAILED)
		munmap(p.ram, PROBE_MEMORY);
	free(p.seen);
	return ret ? err_set(err, ret, "the dirty ring's probe failed: %s",
			     strerror(-ret)) : 0;
}
