// SPDX-License-Identifier: GPL-2.0
/*
 * Loading a Linux kernel by its 64-bit boot protocol: kernel, initrd, command
 * line, boot_params with the memory map, and vCPU 0 in long mode with the low
 * 4 GiB mapped as they are.  The other vCPUs wait for the kernel to start them.
 *
 *	0x00500	GDT			0x0b000	page directories (4)
 *	0x07000	boot_params		0x20000	command line
 *	0x09000	PML4			0xe0000	ACPI tables
 *	0x0a000	PDPT			0xffff0	reset vector
 *					1 MiB	and up: kernel; initrd at the top
 */
#include "vmm/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/acpi.h"
#include "vmm/bzimage.h"
#include "vmm/power.h"

#define GDT_AT 0x500
#define PARAMS_AT 0x7000
#define PML4_AT 0x9000
#define PDPT_AT 0xa000
#define PD_AT 0xb000
#define CMDLINE_AT 0x20000
#define RESET_VECTOR 0xffff0
#define CMDLINE_MAX 0x10000
#define LOW_RAM_END 0x9fc00
#define HIGH_RAM 0x100000

#define E820_RAM 1
#define E820_RESERVED 2

#define BOOT_CS 0x10
#define BOOT_DS 0x18
#define ENTRY_64 0x200
#define LOADER_UNDEFINED 0xff

#define PTE_TABLE 0x3ULL	/* present, writable */
#define PTE_2M 0x83ULL		/* and a page of 2 MiB */

/* A file as it lies on disk; @bytes 0: nothing is mapped. */
struct file {
	const char *path;
	const uint8_t *data;
	size_t bytes;
};

static int file_map(struct file *f, const char *path, const char *what,
		    struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *at;

	*f = (struct file){ .path = path };
	if (fd < 0)
		return err_set(err, -errno, "%s %s: %s", what, path,
			       strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !st.st_size) {
		close(fd);
		return err_set(err, -ENOEXEC,
			       "%s %s: not a file with something in it", what,
			       path);
	}
	at = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return err_set(err, -errno, "%s %s: %s", what, path,
			       strerror(errno));
	f->data = at;
	f->bytes = st.st_size;
	return 0;
}

static void file_unmap(struct file *f)
{
	if (f->bytes)
		munmap((void *)f->data, f->bytes);
}

static uint64_t low_ram_end(const struct vm *vm)
{
	return vm->slots.slot[0].pages << UMIG_PAGE_SHIFT;
}

static int load_kernel(struct vm *vm, const struct bzimage *image,
		       uint64_t *at, struct err *err)
{
	*at = bzimage_load_address(image, low_ram_end(vm));
	if (!*at)
		return err_set(err, -ENOMEM,
			       "%s: %llu MiB of memory are too small for %s, which needs %llu MiB to start: give more --memory",
			       vm->name, (unsigned long long)
			       vm->memory_bytes >> 20, vm->kernel,
			       (unsigned long long)(image->init_bytes >> 20) +
			       17);
	return guest_write(&vm->host.mem, *at, image->code, image->code_bytes);
}

/* As high as the kernel allows. */
static int load_initrd(struct vm *vm, const struct file *f,
		       const struct bzimage *image, uint64_t kernel_at,
		       struct boot_params *params, struct err *err)
{
	uint64_t end = low_ram_end(vm), at;

	if (!f->bytes)
		return 0;
	if (end > image->initrd_end_max)
		end = image->initrd_end_max;
	at = f->bytes < end ? (end - f->bytes) & ~(UMIG_PAGE_SIZE - 1) : 0;
	if (at < kernel_at + image->init_bytes)
		return err_set(err, -ENOMEM,
			       "%s: no room for initrd %s (%zu MiB) behind the kernel: give more --memory",
			       vm->name, f->path, (f->bytes >> 20) + 1);
	params->hdr.ramdisk_image = at;
	params->hdr.ramdisk_size = f->bytes;
	return guest_write(&vm->host.mem, at, f->data, f->bytes);
}

static int load_cmdline(struct vm *vm, struct boot_params *params,
			struct err *err)
{
	size_t bytes = strlen(vm->cmdline) + 1;
	size_t max = params->hdr.cmdline_size;

	if (bytes > CMDLINE_MAX || bytes - 1 > max)
		return err_set(err, -E2BIG,
			       "%s: the kernel takes a command line of at most %zu bytes, this one has %zu",
			       vm->name, max, bytes - 1);
	params->hdr.cmd_line_ptr = CMDLINE_AT;
	return guest_write(&vm->host.mem, CMDLINE_AT, vm->cmdline, bytes);
}

static void map_entry(struct boot_params *params, uint64_t from, uint64_t to,
		      uint32_t type)
{
	params->e820_table[params->e820_entries++] = (struct boot_e820_entry){
		.addr = from,
		.size = to - from,
		.type = type,
	};
}

static void memory_map(const struct vm *vm, struct boot_params *params)
{
	map_entry(params, 0, LOW_RAM_END, E820_RAM);
	map_entry(params, LOW_RAM_END, HIGH_RAM, E820_RESERVED);
	map_entry(params, HIGH_RAM, low_ram_end(vm), E820_RAM);
	map_entry(params, VM_IDENTITY_MAP, VM_TSS_BASE + 3 * UMIG_PAGE_SIZE,
		  E820_RESERVED);
	if (vm->memory_bytes > VM_HOLE_START)
		map_entry(params, VM_HOLE_END, VM_HOLE_END + vm->memory_bytes -
			  VM_HOLE_START, E820_RAM);
}

static int write_page_tables(struct vm *vm)
{
	uint64_t table[512] = { PDPT_AT | PTE_TABLE };
	uint64_t i, pd;
	int ret = guest_write(&vm->host.mem, PML4_AT, table, sizeof(table));

	for (i = 0; i < 4; i++)
		table[i] = (PD_AT + i * UMIG_PAGE_SIZE) | PTE_TABLE;
	if (!ret)
		ret = guest_write(&vm->host.mem, PDPT_AT, table,
				  sizeof(table));
	for (pd = 0; pd < 4 && !ret; pd++) {
		for (i = 0; i < 512; i++)
			table[i] = (pd << 30 | i << 21) | PTE_2M;
		ret = guest_write(&vm->host.mem, PD_AT + pd * UMIG_PAGE_SIZE,
				  table, sizeof(table));
	}
	return ret;
}

/* The same segments as in the vCPU's registers, for whoever reloads them. */
static int write_gdt(struct vm *vm)
{
	static const uint64_t gdt[] = {
		0, 0,
		0x00af9b000000ffff,	/* BOOT_CS: 64-bit code */
		0x00cf93000000ffff,	/* BOOT_DS: data */
	};

	return guest_write(&vm->host.mem, GDT_AT, gdt, sizeof(gdt));
}

/*
 * What a PC's firmware has at its reset vector, a kernel may jump to: Linux
 * does, to reboot a machine of hardware-reduced ACPI without EFI.
 */
static int write_reset_vector(struct vm *vm)
{
	static const uint8_t code[] = {
		0xba, (VM_ACPI_PORT + POWER_RESET) & 0xff,
		(VM_ACPI_PORT + POWER_RESET) >> 8,	/* mov $port, %dx */
		0xb0, POWER_RESET_VALUE,		/* mov $value, %al */
		0xee,					/* out %al, %dx */
		0xf4, 0xeb, 0xfd,			/* 1: hlt; jmp 1b */
	};

	return guest_write(&vm->host.mem, RESET_VECTOR, code, sizeof(code));
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool code)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.l = code,
		.db = !code,
		.g = 1,
	};
}

static int set_registers(struct vm *vm, uint64_t kernel_at)
{
	struct kvm_regs regs = {
		.rip = kernel_at + ENTRY_64,
		.rsi = PARAMS_AT,
		.rflags = 2,
	};
	struct kvm_sregs sregs = { 0 };
	int fd = vm->vcpu[0].fd;
	int ret = kvm_ioctl(fd, KVM_GET_SREGS, &sregs);

	if (ret)
		return ret;
	sregs.cs = segment(BOOT_CS, 0xb, true);
	sregs.ds = segment(BOOT_DS, 0x3, false);
	sregs.es = sregs.ds;
	sregs.ss = sregs.ds;
	sregs.fs = sregs.ds;
	sregs.gs = sregs.ds;
	sregs.gdt.base = GDT_AT;
	sregs.gdt.limit = 4 * 8 - 1;
	sregs.cr0 |= 0x80000001;	/* PG, PE */
	sregs.cr3 = PML4_AT;
	sregs.cr4 |= 0x20;		/* PAE */
	sregs.efer |= 0x500;		/* LMA, LME */
	ret = kvm_ioctl(fd, KVM_SET_SREGS, &sregs);
	return ret ? ret : kvm_ioctl(fd, KVM_SET_REGS, &regs);
}

static int load_all(struct vm *vm, const struct bzimage *image,
		    const struct file *initrd, struct boot_params *params,
		    struct err *err)
{
	const struct acpi_machine machine = {
		.bus = &vm->bus,
		.cpus = vm->nr_vcpus,
		.power_port = VM_ACPI_PORT,
	};
	uint64_t at, rsdp = 0;
	int ret = load_kernel(vm, image, &at, err);

	params->hdr = image->header;
	params->hdr.type_of_loader = LOADER_UNDEFINED;
	params->hdr.vid_mode = 0xffff;
	if (!ret)
		ret = load_initrd(vm, initrd, image, at, params, err);
	if (!ret)
		ret = load_cmdline(vm, params, err);
	if (!ret)
		ret = acpi_write(&machine, &vm->host.mem, &rsdp, err);
	params->acpi_rsdp_addr = rsdp;
	memory_map(vm, params);
	if (!ret)
		ret = guest_write(&vm->host.mem, PARAMS_AT, params,
				  sizeof(*params));
	if (!ret)
		ret = write_page_tables(vm);
	if (!ret)
		ret = write_gdt(vm);
	if (!ret)
		ret = write_reset_vector(vm);
	if (!ret)
		ret = set_registers(vm, at);
	return ret ? err_set(err, ret, "%s: %s can't be loaded: %s", vm->name,
			     vm->kernel, strerror(-ret)) : 0;
}

static int load_files(struct vm *vm, const struct file *kernel,
		      const struct file *initrd, struct err *err)
{
	struct boot_params params = { 0 };
	struct bzimage image;
	int ret = bzimage_parse(kernel->path, kernel->data, kernel->bytes,
				&image, err);

	return ret ? ret : load_all(vm, &image, initrd, &params, err);
}

int vm_boot(struct vm *vm, struct err *err)
{
	struct file kernel = { 0 }, initrd = { 0 };
	int ret;

	if (vm->loaded || vm->incoming)
		return err_set(err, -EBUSY, "%s: something is loaded already",
			       vm->name);
	if (!vm->kernel)
		return err_set(err, -EINVAL, "%s: no kernel to boot",
			       vm->name);
	ret = file_map(&kernel, vm->kernel, "kernel", err);
	if (!ret && vm->initrd)
		ret = file_map(&initrd, vm->initrd, "initrd", err);
	if (!ret)
		ret = load_files(vm, &kernel, &initrd, err);
	/* A disk that is in use is better found now than at the start. */
	if (!ret)
		ret = bus_acquire(&vm->bus, err);
	file_unmap(&initrd);
	file_unmap(&kernel);
	vm->loaded = !ret;
	return ret;
}
