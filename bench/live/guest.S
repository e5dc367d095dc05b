/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest of the live bench: bare 32-bit code, the same bytes under umig and
 * under QEMU.  Woken by the PIT, it beats, and writes pages of a working set at
 * the rate that it was told; between that it sleeps.  guest.py knows the layout.
 *
 *   0x8000  parameters and counters, one page (P() below)
 *   0x9000  gaps: 256 times the TSC before and after, 8 bytes each
 *   0xa000  interrupt table
 *   0xb000  where the second vCPU starts, if there is one
 *   0xc000  its counter, and its stack
 *   0xf000  stack, downwards
 *   0x10000 this code
 *
 * A beat is: read the TSC, note a gap if the last beat is longer ago than
 * GAP_CYCLES, store the TSC.  Each page of the working set holds the number of
 * its last pass in two places; the guest checks both before it writes the next,
 * so a page that a migration lost is found by the guest itself.  A page costs
 * some 21 instructions and two more for each turn of SPIN.  What is written
 * beside is little, since a KVM that emulates guests logs each write, and its
 * dirty ring overflows where there are less than 16 instructions to one.
 *
 * A second vCPU beats by its own timer and writes nothing but its own page.
 */
#define P(offset) (0x8000 + offset)
#define PAGES P(4)
#define FIRST P(8)
#define INTERVAL P(12)		/* cycles between two bursts; 0: write nothing */
#define SPIN P(16)
#define LATE_CYCLES P(20)	/* what is due for longer is dropped */
#define GAP_CYCLES P(24)
#define BURST P(28)		/* pages for each look at the clock */
#define BEATS P(32)
#define LAST P(40)
#define PASS P(48)
#define CURSOR P(52)
#define ERRORS P(56)
#define BAD P(60)
#define NEXT P(64)
#define GAPS P(72)
#define PIT_DIVISOR P(76)
#define WRITTEN P(80)
#define CPUS P(88)
#define LOG 0x9000
#define IDT 0xa000
#define STACK 0xf000
#define VECTOR 0x20

#define OTHER 0xb000
#define OTHER_BEATS 0xc000
#define OTHER_STACK 0xd000
#define OTHER_VECTOR 0x21
#define OTHER_NS 1000000	/* KVM's APIC timer counts nanoseconds */

#define APIC_EOI 0xfee000b0
#define APIC_SPURIOUS 0xfee000f0
#define APIC_ICR 0xfee00300
#define APIC_ICR_TO 0xfee00310
#define APIC_TIMER 0xfee00320
#define APIC_LINT0 0xfee00350
#define APIC_COUNT 0xfee00380
#define APIC_DIVIDE 0xfee003e0

	.code32
	.globl _start
_start:
	cli
	lgdt	%cs:gdt_pointer
	ljmp	$8, $1f
1:	mov	$16, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$STACK, %esp
	call	interrupts
	cmpl	$1, CPUS
	jbe	1f
	call	start_other
1:	rdtsc
	mov	%eax, LAST
	mov	%edx, LAST+4
	mov	%eax, NEXT
	mov	%edx, NEXT+4

beat:	rdtsc
	mov	%eax, %esi
	mov	%edx, %edi
	sub	LAST, %eax
	sbb	LAST+4, %edx
	jnz	gap
	cmp	GAP_CYCLES, %eax
	jbe	2f
gap:	mov	GAPS, %ebx
	and	$255, %ebx
	shl	$4, %ebx
	mov	LAST, %eax
	mov	LAST+4, %edx
	mov	%eax, LOG(%ebx)
	mov	%edx, LOG+4(%ebx)
	mov	%esi, LOG+8(%ebx)
	mov	%edi, LOG+12(%ebx)
	incl	GAPS
2:	mov	%esi, LAST
	cmp	%edi, LAST+4
	je	3f
	mov	%edi, LAST+4
3:	addl	$1, BEATS
	jnc	4f
	incl	BEATS+4
4:

	cmpl	$0, INTERVAL
	je	sleep
	/* how late are we? */
	mov	%esi, %eax
	mov	%edi, %edx
	sub	NEXT, %eax
	sbb	NEXT+4, %edx
	js	sleep
	jnz	late
	cmp	LATE_CYCLES, %eax
	jbe	burst
late:	mov	%esi, %eax
	mov	%edi, %edx
	sub	LATE_CYCLES, %eax
	sbb	$0, %edx
	mov	%eax, NEXT
	mov	%edx, NEXT+4

burst:	mov	INTERVAL, %eax
	add	%eax, NEXT
	jnc	1f
	incl	NEXT+4
1:	mov	BURST, %ebp
	mov	CURSOR, %ecx
	add	%ebp, WRITTEN
	jnc	page
	incl	WRITTEN+4
page:	mov	%ecx, %ebx
	shl	$12, %ebx
	add	FIRST, %ebx
	mov	PASS, %eax
	test	%eax, %eax
	jz	good		/* the first: contents still */
	cmp	%eax, (%ebx)
	jne	bad
	cmp	%eax, 2048(%ebx)
	jne	bad
good:	inc	%eax
	mov	%eax, (%ebx)
	mov	%eax, 2048(%ebx)
	mov	SPIN, %edx
3:	dec	%edx
	jns	3b
	inc	%ecx
	cmp	PAGES, %ecx
	jb	4f
	xor	%ecx, %ecx
	incl	PASS
4:	dec	%ebp
	jnz	page
	mov	%ecx, CURSOR
	jmp	beat

bad:	incl	ERRORS
	mov	%ebx, BAD
	jmp	good

/*
 * Only hlt is ever interrupted, so the handler needn't come back: it goes on
 * with the next beat.  (A KVM that emulates guests has no iret here.)
 */
sleep:	sti
	hlt
	jmp	sleep

tick:	mov	$STACK, %esp
	mov	$0x20, %al
	out	%al, $0x20
	jmp	beat

/* The PIT alone, by way of the PIC and the local APIC's virtual wire. */
interrupts:
	mov	$tick, %eax
	mov	$0x80000, %ebx		/* selector 8 */
	mov	%ax, %bx
	mov	%ebx, IDT+VECTOR*8
	mov	$0x8e00, %ax		/* interrupt gate */
	mov	%eax, IDT+VECTOR*8+4
	lidt	idt_pointer
	movl	$0x1ff, APIC_SPURIOUS	/* on */
	movl	$0x700, APIC_LINT0	/* the PIC */
	mov	$0x11, %al
	out	%al, $0x20
	out	%al, $0xa0
	mov	$VECTOR, %al
	out	%al, $0x21
	mov	$VECTOR+8, %al
	out	%al, $0xa1
	mov	$4, %al
	out	%al, $0x21
	mov	$2, %al
	out	%al, $0xa1
	mov	$1, %al
	out	%al, $0x21
	out	%al, $0xa1
	mov	$0xfe, %al
	out	%al, $0x21
	mov	$0xff, %al
	out	%al, $0xa1
	mov	$0x34, %al
	out	%al, $0x43
	mov	PIT_DIVISOR, %eax
	out	%al, $0x40
	mov	%ah, %al
	out	%al, $0x40
	ret

/* An interrupt gate for it, its 16-bit code below 1 MiB; INIT, and it starts. */
start_other:
	mov	$other_tick, %eax
	mov	$0x80000, %ebx
	mov	%ax, %bx
	mov	%ebx, IDT+OTHER_VECTOR*8
	mov	$0x8e00, %ax
	mov	%eax, IDT+OTHER_VECTOR*8+4
	mov	$real, %esi
	mov	$OTHER, %edi
	mov	$(real_end - real), %ecx
	rep movsb
	movl	$0x1000000, APIC_ICR_TO
	movl	$0x4500, APIC_ICR
	movl	$(0x4600 + OTHER / 4096), APIC_ICR
	ret

	.code16
real:	cli
	lgdtl	%cs:(real_gdt - real)
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	ljmpl	$8, $other
real_gdt:
	.word	gdt_pointer - gdt - 1
	.long	gdt
real_end:

	.code32
other:	mov	$16, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	lidt	idt_pointer
	movl	$0x1ff, APIC_SPURIOUS
	movl	$11, APIC_DIVIDE	/* by 1 */
	movl	$(0x20000 + OTHER_VECTOR), APIC_TIMER	/* periodic */
	movl	$OTHER_NS, APIC_COUNT
other_sleep:
	mov	$OTHER_STACK, %esp
	sti
	hlt
	jmp	other_sleep

other_tick:
	movl	$0, APIC_EOI
	incl	OTHER_BEATS
	jmp	other_sleep

	.balign	8
gdt:	.quad	0
	.quad	0x00cf9b000000ffff	/* 8: code */
	.quad	0x00cf93000000ffff	/* 16: data */
gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.long	gdt
idt_pointer:
	.word	(OTHER_VECTOR + 1) * 8 - 1
	.long	IDT
