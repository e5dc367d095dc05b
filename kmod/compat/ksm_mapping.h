/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a KSM page tells its stable node.  Included by stable_tree.h only.
 */
#ifndef UMIG_COMPAT_KSM_MAPPING_H
#define UMIG_COMPAT_KSM_MAPPING_H

#include <linux/page-flags.h>

/*
 * A KSM page's folio->mapping is the address of its stable node with both low
 * bits set.  PAGE_MAPPING_* became FOLIO_MAPPING_* in 6.17.
 */
#ifdef PAGE_MAPPING_FLAGS
#define UMIG_MAPPING_KSM	PAGE_MAPPING_KSM
#define UMIG_MAPPING_FLAGS	PAGE_MAPPING_FLAGS
#else
#define UMIG_MAPPING_KSM	FOLIO_MAPPING_KSM
#define UMIG_MAPPING_FLAGS	FOLIO_MAPPING_FLAGS
#endif

#endif
