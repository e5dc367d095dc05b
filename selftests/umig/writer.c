// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that checks what it wrote: see writer.h.
 */
#include "umig/writer.h"

#include <string.h>
#include <time.h>

#include "mem/memslots.h"

#define CODE 0x10000U
#define CONTROL 0x8000U
#define WAIT_S 30

/* At CONTROL, shared with the code below. */
struct writer_control {
	volatile uint32_t passes;
	volatile uint32_t bad;
	uint32_t pages;
	uint32_t delay;
};

extern const uint8_t writer_code[], writer_code_end[];

asm(".pushsection .rodata\n"
    ".globl writer_code, writer_code_end\n"
    "writer_code:\n"
    ".code32\n"
    "	xorl	%ebp, %ebp\n"
    "1:	movl	%ebp, %ebx\n"		/* what pages should hold */
    "	incl	%ebp\n"
    "	movl	$0x400000, %edi\n"
    "	movl	0x8008, %ecx\n"
    "2:	cmpl	%ebx, (%edi)\n"
    "	je	3f\n"
    "	movl	%edi, 0x8004\n"
    "3:	movl	%ebp, (%edi)\n"
    "	movl	0x800c, %edx\n"
    "4:	decl	%edx\n"
    "	jnz	4b\n"
    "	addl	$4096, %edi\n"
    "	decl	%ecx\n"
    "	jnz	2b\n"
    "	movl	%ebp, 0x8000\n"
    "	jmp	1b\n"
    "writer_code_end:\n"
    ".code64\n"
    ".popsection\n");

static struct writer_control *control(struct vm *vm)
{
	return memslots_hva(vm_memory(vm), CONTROL >> UMIG_PAGE_SHIFT);
}

int writer_boot(struct vm *vm, uint32_t pages, uint32_t delay,
		struct err *err)
{
	struct writer_control *c = control(vm);

	c->pages = pages;
	c->delay = delay;
	return vm_boot_flat(vm, writer_code, writer_code_end - writer_code,
			    CODE, VM_FLAT_PROT32, err);
}

uint32_t writer_passes(struct vm *vm)
{
	return control(vm)->passes;
}

uint32_t writer_bad(struct vm *vm)
{
	return control(vm)->bad;
}

bool writer_wait(struct vm *vm, uint32_t passes)
{
	const struct timespec tick = { .tv_nsec = 1000000 };
	unsigned int i;

	for (i = 0; i < WAIT_S * 1000; i++) {
		if (writer_passes(vm) >= passes)
			return true;
		nanosleep(&tick, NULL);
	}
	return false;
}
