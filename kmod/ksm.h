/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What KSM is asked: its settings, and to merge a page with a merged one.
 */
#ifndef UMIG_KSM_H
#define UMIG_KSM_H

#include <linux/types.h>

struct page;
struct vm_area_struct;

/**
 * enum umig_ksm_setting - Of /sys/kernel/mm/ksm.
 * @UMIG_KSM_RUN: 1: ksmd is at work.
 * @UMIG_KSM_MAX_PAGE_SHARING: mappings that share a page at most.
 * @UMIG_KSM_MERGE_ACROSS_NODES: pages of different NUMA nodes are merged.
 */
enum umig_ksm_setting {
	UMIG_KSM_RUN,
	UMIG_KSM_MAX_PAGE_SHARING,
	UMIG_KSM_MERGE_ACROSS_NODES,
	UMIG_NR_KSM_SETTINGS,
};

void umig_ksm_init(void);
long umig_ksm_setting(enum umig_ksm_setting setting, long absent);
bool umig_ksm_is_there(void);
bool umig_ksm_can_merge(void);
int umig_ksm_merge(struct vm_area_struct *vma, struct page *page,
		   struct page *merged);

#endif
