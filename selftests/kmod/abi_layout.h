/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ABI version 1, as it was frozen: numbers, sizes and offsets.  A struct may
 * only grow at its end; then its size here does, and nothing else.  True for
 * 32-bit and 64-bit programs alike: selftests/umig/abi.t has a compiler look.
 */
#ifndef UMIG_SELFTESTS_KMOD_ABI_LAYOUT_H
#define UMIG_SELFTESTS_KMOD_ABI_LAYOUT_H

#include <linux/umig.h>

#define AT(type, field, offset)						\
	_Static_assert(__builtin_offsetof(struct type, field) == (offset), \
		       #type "." #field " has moved")
#define SIZE(type, size)						\
	_Static_assert(sizeof(struct type) == (size),			\
		       #type " has another size")
#define IS(name, value)							\
	_Static_assert(name == (value), #name " is another one")

IS(UMIG_ABI_VERSION, 1);
IS(UMIG_DIGEST_SIZE, 32);
IS(UMIG_KEY_SIZE, 32);
IS(UMIG_KEY_ID_SIZE, 16);
IS(UMIG_GROUP_SIZE, 16);

IS(UMIG_IOC_INFO, 0xb900);
IS(UMIG_IOC_SET_KEY, 0xb901);
IS(UMIG_IOC_RANGE, 0xb902);
IS(UMIG_IOC_CONFIRM, 0xb903);
IS(UMIG_IOC_FILL, 0xb904);
IS(UMIG_IOC_RELEASE, 0xb905);
IS(UMIG_IOC_STAT, 0xb906);
IS(UMIG_IOC_JOIN, 0xb907);
IS(UMIG_IOC_SHARE, 0xb908);
IS(UMIG_IOC_EVENTS, 0xb909);

IS(UMIG_HASH_BLAKE2B_256_KEYED, 1);
IS(UMIG_MODE_HOOKS, 1);
IS(UMIG_MODE_SCAN, 2);
IS(UMIG_FEATURE_GROUPS, 1);
IS(UMIG_FEATURE_SHARE, 2);
IS(UMIG_PAGE_ABSENT, 1);
IS(UMIG_PAGE_PRIVATE, 2);
IS(UMIG_PAGE_ZERO, 3);
IS(UMIG_PAGE_MERGED, 4);
IS(UMIG_PAGE_MERGED_UNHASHED, 5);
IS(UMIG_RELEASE_ALL, 1);
IS(UMIG_SHARE_COPIED, 1);
IS(UMIG_EVENT_LEASES, 1);
IS(UMIG_EVENT_MODE, 2);
IS(UMIG_EVENT_GENERATION, 4);

SIZE(umig_info, 96);
AT(umig_info, abi_version, 8);
AT(umig_info, hash_alg, 12);
AT(umig_info, mode, 16);
AT(umig_info, page_size, 20);
AT(umig_info, max_batch, 24);
AT(umig_info, lease_ttl_ms, 28);
AT(umig_info, features, 32);
AT(umig_info, key_id, 40);
AT(umig_info, generation, 56);
AT(umig_info, hashed_pages, 64);
AT(umig_info, merged_pages, 72);
AT(umig_info, index_bytes, 80);
AT(umig_info, index_limit_bytes, 88);

SIZE(umig_set_key, 40);
AT(umig_set_key, key, 8);

SIZE(umig_run, 16);
AT(umig_run, count, 4);
AT(umig_run, class, 8);

SIZE(umig_range, 48);
AT(umig_range, mem_fd, 8);
AT(umig_range, nr_pages, 12);
AT(umig_range, addr, 16);
AT(umig_range, runs, 24);
AT(umig_range, digests, 32);
AT(umig_range, nr_runs, 40);
AT(umig_range, nr_digests, 44);

SIZE(umig_confirm, 32);
AT(umig_confirm, digests, 8);
AT(umig_confirm, leases, 16);
AT(umig_confirm, nr, 24);
AT(umig_confirm, nr_held, 28);

SIZE(umig_fill_item, 16);
AT(umig_fill_item, lease, 8);
AT(umig_fill_item, result, 12);

SIZE(umig_fill, 24);
AT(umig_fill, items, 8);
AT(umig_fill, nr, 16);
AT(umig_fill, nr_filled, 20);

SIZE(umig_share, 32);
AT(umig_share, items, 8);
AT(umig_share, nr, 16);
AT(umig_share, nr_filled, 20);
AT(umig_share, nr_shared, 24);

SIZE(umig_release, 24);
AT(umig_release, leases, 8);
AT(umig_release, nr, 16);
AT(umig_release, nr_released, 20);

SIZE(umig_join, 24);
AT(umig_join, group, 8);

SIZE(umig_events, 32);
AT(umig_events, events, 8);
AT(umig_events, leases_lost, 12);
AT(umig_events, generation, 16);
AT(umig_events, mode, 24);

/* Its first version ends with lease_converted; counters are added behind. */
AT(umig_stat, hook_inserts, 8);
AT(umig_stat, queue_len, 40);
AT(umig_stat, leases, 144);
AT(umig_stat, lease_converted, 184);
AT(umig_stat, confirm_other_group, 192);
AT(umig_stat, group_members, 208);
AT(umig_stat, lease_reclaimed, 232);
AT(umig_stat, share_adopted, 264);
AT(umig_stat, crosscheck_fails, 272);
_Static_assert(sizeof(struct umig_stat) % 8 == 0, "umig_stat has a hole");

SIZE(umig_record, 40);
AT(umig_record, sharers, 32);

#undef AT
#undef SIZE
#undef IS

#endif
