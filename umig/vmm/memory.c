// SPDX-License-Identifier: GPL-2.0
/*
 * Guest RAM: anonymous private memory, so that KSM can merge it, mapped below
 * the MMIO hole and above 4 GiB.
 */
#include "vmm/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/log.h"
#include "mem/huge.h"

/* @bytes of memory that begins at a huge page's boundary. */
static void *map_aligned(uint64_t bytes)
{
	uint8_t *at = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t skip;

	if (at == MAP_FAILED)
		return NULL;
	skip = -(uintptr_t)at % HUGE_BYTES;
	if (skip)
		munmap(at, skip);
	munmap(at + skip + bytes, HUGE_BYTES - skip);
	return at + skip;
}

static int add_slot(struct vm *vm, uint64_t gpa, uint64_t bytes,
		    struct err *err)
{
	struct kvm_userspace_memory_region region = {
		.slot = vm->slots.nr,
		.guest_phys_addr = gpa,
		.memory_size = bytes,
	};
	void *at = map_aligned(bytes);
	int ret;

	if (!at)
		return err_set(err, -ENOMEM,
			       "%s: no address space for %llu MiB of guest memory: give a smaller --memory",
			       vm->name, (unsigned long long)bytes >> 20);
	/* Without KSM in the kernel there is nothing to share: no error. */
	if (madvise(at, bytes, MADV_MERGEABLE))
		log_debug("%s: KSM: %s", vm->name, strerror(errno));
	memslots_add(&vm->slots, gpa >> UMIG_PAGE_SHIFT,
		     bytes >> UMIG_PAGE_SHIFT, at);
	region.userspace_addr = (uintptr_t)at;
	ret = kvm_ioctl(vm->vm_fd, KVM_SET_USER_MEMORY_REGION, &region);
	if (ret)
		return err_set(err, ret,
			       "%s: KVM refuses %llu MiB of guest memory at 0x%llx: %s",
			       vm->name, (unsigned long long)bytes >> 20,
			       (unsigned long long)gpa, strerror(-ret));
	return 0;
}

int vm_memory_alloc(struct vm *vm, struct err *err)
{
	uint64_t low = vm->memory_bytes;
	int ret;

	vm->slots.anonymous = true;
	if (low > VM_HOLE_START)
		low = VM_HOLE_START;
	ret = add_slot(vm, 0, low, err);
	if (!ret && vm->memory_bytes > low)
		ret = add_slot(vm, VM_HOLE_END, vm->memory_bytes - low, err);
	return ret;
}

void vm_memory_free(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->slots.nr; i++)
		munmap(vm->slots.slot[i].hva,
		       vm->slots.slot[i].pages << UMIG_PAGE_SHIFT);
	vm->slots.nr = 0;
}

static void advise(struct vm *vm, int advice)
{
	unsigned int i;

	/* A kernel without huge pages refuses, and needs no advice. */
	for (i = 0; i < vm->slots.nr; i++)
		madvise(vm->slots.slot[i].hva,
			vm->slots.slot[i].pages << UMIG_PAGE_SHIFT, advice);
}

void vm_memory_small(struct vm *vm)
{
	advise(vm, MADV_NOHUGEPAGE);
}

/*
 * MADV_NOHUGEPAGE can't be taken back, only contradicted: that equals the
 * host's default where it is "always"; elsewhere it is what it was.
 */
void vm_memory_default(struct vm *vm)
{
	char policy[64] = "";
	int fd = open("/sys/kernel/mm/transparent_hugepage/enabled",
		      O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (read(fd, policy, sizeof(policy) - 1) > 0 &&
	    strstr(policy, "[always]"))
		advise(vm, MADV_HUGEPAGE);
	close(fd);
}
