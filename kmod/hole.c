// SPDX-License-Identifier: GPL-2.0
/*
 * How far nothing is mapped.  RANGE asks it where it got no page, so as not to
 * take a lock and look for a mapping once for each page of memory that was never
 * touched.
 *
 * Page tables are read as get_user_pages_fast() reads them, and KVM: of the
 * current memory, with interrupts off, which keeps a table from being freed
 * while it is looked at, each entry once.  Only what is empty is told; whatever
 * else an entry may be, a page, a swap entry, a migration, is for others to look
 * at.
 */
#include "hole.h"

#include <linux/irqflags.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched.h>

/* With interrupts off. */
#define MAX_PAGES	512U

/* The end of the run of empty entries of a table that begins at @addr. */
static unsigned long pte_hole_end(pmd_t pmd, unsigned long addr,
				  unsigned long end)
{
	const pte_t *pte = pte_offset_kernel(&pmd, addr);

	end = pmd_addr_end(addr, end);
	while (addr != end && pte_none(READ_ONCE(*pte))) {
		addr += PAGE_SIZE;
		pte++;
	}
	return addr;
}

/* @addr: it isn't known to be in a hole. */
static unsigned long hole_end(unsigned long addr, unsigned long end)
{
	pgd_t pgd = READ_ONCE(*pgd_offset(current->mm, addr));
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;

	if (pgd_none(pgd))
		return pgd_addr_end(addr, end);
	p4d = READ_ONCE(*p4d_offset(&pgd, addr));
	if (p4d_none(p4d))
		return p4d_addr_end(addr, end);
	if (!p4d_present(p4d))
		return addr;
	pud = READ_ONCE(*pud_offset(&p4d, addr));
	if (pud_none(pud))
		return pud_addr_end(addr, end);
	if (!pud_present(pud) || pud_leaf(pud))
		return addr;
	pmd = READ_ONCE(*pmd_offset(&pud, addr));
	if (pmd_none(pmd))
		return pmd_addr_end(addr, end);
	if (!pmd_present(pmd) || pmd_leaf(pmd))
		return addr;
	return pte_hole_end(pmd, addr, end);
}

/**
 * umig_hole_pages() - How many pages from here on aren't mapped?
 * @addr: of the current memory, page-aligned.
 * @nr: pages that are asked for.
 *
 * Return: so many at least; 0: look at the first one by other means.
 */
u32 umig_hole_pages(unsigned long addr, u32 nr)
{
	unsigned long end = addr + min(nr, MAX_PAGES) * PAGE_SIZE;
	unsigned long at = addr;
	unsigned long flags;
	unsigned long next;

	/*
	 * Beyond it the same tables map the kernel.  access_ok() lets addresses
	 * pass that aren't canonical, on some kernels.
	 */
	if (end < addr || end > current->mm->task_size)
		return 0;
	local_irq_save(flags);
	for (; at != end; at = next) {
		next = hole_end(at, end);
		if (next == at)
			break;
	}
	local_irq_restore(flags);
	return (at - addr) >> PAGE_SHIFT;
}
