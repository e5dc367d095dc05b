/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A ROM for QEMU in place of a BIOS: from the reset vector to guest.S, which
 * stands in RAM at 0x10000 already, and nothing else.  A BIOS would write to
 * memory, and then the two sides' contents would differ.
 */
	.code16
	.org	0xff00
	.globl _start
_start:
	cli
	lgdtl	%cs:gdt_pointer
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	ljmpl	$8, $0x10000

	.balign	8
gdt:	.quad	0
	.quad	0x00cf9b000000ffff
gdt_pointer:
	.word	15
	.long	0xffff0000 + gdt

	.org	0xfff0
	jmp	_start
	.org	0x10000
