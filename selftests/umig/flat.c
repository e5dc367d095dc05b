// SPDX-License-Identifier: GPL-2.0
/*
 * The flat guest: see flat.h.
 */
#include "umig/flat.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/kvm.h"
#include "vmm/power.h"
#include "vmm/priv.h"

#define WAIT_NS 20000000000ULL

#define STR_(x) #x
#define STR(x) STR_(x)
#define AT(offset) #offset "(%ebp)"

__asm__(".pushsection .rodata\n"
	".code32\n"
	"flat_code:\n"
	"	mov	$" STR(FLAT_PARAMS_GPA) ", %ebp\n"
	/* check the last pass */
	"1:	mov	" AT(0) ", %edi\n"
	"	mov	" AT(4) ", %ecx\n"
	"	mov	" AT(16) ", %eax\n"
	"2:	cmp	%eax, (%edi)\n"
	"	je	3f\n"
	"	incl	" AT(20) "\n"
	"	mov	%edi, " AT(24) "\n"
	"3:	add	$4096, %edi\n"
	"	dec	%ecx\n"
	"	jnz	2b\n"
	/* was it the last one? */
	"	cmpl	$0, " AT(32) "\n"
	"	jne	8f\n"
	"	mov	" AT(8) ", %edx\n"
	"	test	%edx, %edx\n"
	"	jz	4f\n"
	"	cmp	%edx, %eax\n"
	"	jae	8f\n"
	"4:	inc	%eax\n"
	"	mov	" AT(0) ", %edi\n"
	"	mov	" AT(4) ", %ecx\n"
	"	cmpl	$0, " AT(12) "\n"
	"	je	6f\n"
	/* sparse */
	"5:	mov	%eax, (%edi)\n"
	"	mov	" AT(12) ", %edx\n"
	"9:	dec	%edx\n"
	"	jnz	9b\n"
	"	add	$4096, %edi\n"
	"	dec	%ecx\n"
	"	jnz	5b\n"
	"	jmp	7f\n"
	/* dense: the end is in ecx, so that four instructions do */
	"6:	shl	$12, %ecx\n"
	"	add	%edi, %ecx\n"
	"0:	mov	%eax, (%edi)\n"
	"	add	$4096, %edi\n"
	"	cmp	%ecx, %edi\n"
	"	jb	0b\n"
	"7:	mov	%eax, " AT(16) "\n"
	"	jmp	1b\n"
	/* the end: add up, switch off */
	"8:	mov	" AT(0) ", %edi\n"
	"	mov	" AT(4) ", %ecx\n"
	"	xor	%eax, %eax\n"
	"0:	add	(%edi), %eax\n"
	"	add	$4096, %edi\n"
	"	dec	%ecx\n"
	"	jnz	0b\n"
	"	mov	%eax, " AT(28) "\n"
	"	mov	$0x600, %edx\n"
	"	mov	$0x34, %al\n"
	"	out	%al, %dx\n"
	"0:	jmp	0b\n"
	"flat_code_end:\n"
	".code64\n"
	".popsection\n");
extern const uint8_t flat_code[], flat_code_end[];

_Static_assert(offsetof(struct flat_params, stop) == 32, "asm knows it");
_Static_assert(VM_ACPI_PORT == 0x600 && POWER_OFF_VALUE == 0x34,
	       "asm knows them");

struct vm_config flat_config(const char *name, const char *dirty)
{
	return (struct vm_config){
		.name = name,
		.memory_bytes = 32 << 20,
		.serial = "none",
		.dirty = dirty,
	};
}

int flat_boot(struct vm *vm, const struct flat_params *params, struct err *err)
{
	memcpy(memslots_hva(vm_memory(vm), FLAT_PARAMS_GPA >> UMIG_PAGE_SHIFT),
	       params, sizeof(*params));
	return vm_boot_flat(vm, flat_code, flat_code_end - flat_code,
			    FLAT_CODE_GPA, VM_FLAT_PROT32, err);
}

volatile struct flat_params *flat_params(struct vm *vm)
{
	return memslots_hva(vm_memory(vm), FLAT_PARAMS_GPA >> UMIG_PAGE_SHIFT);
}

int flat_wait_pass(struct vm *vm, uint32_t pass)
{
	uint64_t began = clock_now_ns();

	while (flat_params(vm)->pass < pass) {
		if (clock_now_ns() - began > WAIT_NS)
			return -ETIMEDOUT;
		/* The guest has no way to signal that costs it nothing. */
		usleep(1000);
	}
	return 0;
}

int flat_wait_end(struct vm *vm, struct vm_status *out)
{
	struct pollfd event = { .fd = vm_event_fd(vm), .events = POLLIN };
	uint64_t began = clock_now_ns();
	eventfd_t ignored;

	for (;;) {
		vm_status(vm, out);
		if (out->state >= VM_STATE_SHUTDOWN)
			return 0;
		if (clock_now_ns() - began > WAIT_NS)
			return -ETIMEDOUT;
		poll(&event, 1, 1000);
		eventfd_read(event.fd, &ignored);
	}
}

const char *flat_skip(void)
{
	static struct err err;
	int fd;

	err = (struct err){ 0 };
	fd = kvm_open(&err);
	if (fd < 0)
		return err_text(&err);
	close(fd);
	return NULL;
}
