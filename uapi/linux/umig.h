/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The ABI of /dev/umig: which pages of a process are merged by KSM, and with
 * which digest; which digests this host holds, leased; and a leased page's
 * content into the caller's memory.
 */
#ifndef _UAPI_LINUX_UMIG_H
#define _UAPI_LINUX_UMIG_H

#include <linux/types.h>
#include <linux/ioctl.h>

/**
 * DOC: The umig device
 *
 * The module keeps an index of the pages that KSM has merged on this host:
 * for each, a keyed BLAKE2b-256 digest of its content.  Two hosts that have
 * been given the same key (&UMIG_IOC_SET_KEY) produce the same digest for the
 * same content, which is what makes "do you hold this page?" a question of 32
 * bytes.
 *
 * On the source of a migration &UMIG_IOC_RANGE answers, for a range of the
 * caller's own memory, or of that of a process that the caller may read, which
 * pages are merged and their digests.  No hashing is done in the caller's time.
 *
 * On the destination &UMIG_IOC_CONFIRM takes digests and answers with leases.
 * A lease is a reference to a page whose content is that digest's content and
 * can't change or vanish until the lease is released or taken back, or the file
 * is closed.  It is taken back when it hasn't been used for
 * &umig_info.lease_ttl_ms, and earlier when memory is short.  &UMIG_IOC_FILL
 * copies leased pages into the caller's memory; &UMIG_IOC_SHARE makes the caller
 * a sharer of the leased page itself, where that can be done.
 *
 * Processes can be kept apart: a process that has joined a trust group
 * (&UMIG_IOC_JOIN) shows its merged pages only to files of the same group.
 * Whoever never joins, process or file, is of the common group, whose id is all
 * zero.  A page may be merged for processes of several groups; it is confirmed
 * to the files of each of them, and to no others.
 */

/**
 * DOC: Programming a source
 *
 * 1. open("/dev/umig", O_RDWR | O_CLOEXEC); INFO: &umig_info.abi_version and
 *    &umig_info.page_size must be what the program knows.  JOIN, if the guest is
 *    of a group, before its memory is made mergeable (madvise(MADV_MERGEABLE)).
 * 2. For each portion of guest memory: clear its dirty log, wait until that has
 *    returned, then RANGE.  Runs tell the class of each page; for each page of
 *    class UMIG_PAGE_MERGED, in order, a digest has been written.  A page of any
 *    other class is to be read and sent.  &umig_range.nr_pages tells how far the
 *    answer goes if an array was full.
 * 3. A page that is dirty in the next harvest counts as changed since, whatever
 *    RANGE said.
 * 4. Digests aren't kept beyond a change of &umig_info.generation.
 *
 * Nothing pins guest memory, nothing of it is faulted in.
 */

/**
 * DOC: Programming a destination
 *
 * 1. open, INFO, JOIN as above, on a file of its own for each guest that comes.
 * 2. CONFIRM what the source offers.  What isn't held has the answer 0 and is to
 *    be sent, also where a limit is the reason.  The call may wait: it is paced.
 * 3. FILL each guest page that the source has named by that digest; one lease
 *    fills any number of pages.  -ENOENT for an item: the lease was taken back,
 *    have the page sent.  FILL writes as the caller would by memcpy(): it faults
 *    pages in, and waits for a userfaultfd.  SHARE does the same without a copy
 *    where it can.
 * 4. RELEASE, or close.  A process that dies releases everything.
 *
 * That the destination holds a digest's content doesn't prove that the source
 * has it: whoever has overheard a digest can name it.  Where that matters have
 * the source prove it by something that depends on all of the page.
 *
 * All calls may be made from several threads at a time.  A file that is
 * inherited, or passed on, is the same file: its leases, group and limits go with
 * it, but RANGE and FILL are about the memory of whoever calls.
 */

/**
 * DOC: Versions and errors
 *
 * Every ioctl's argument begins with its size.  A caller compiled against an
 * older header passes a smaller size: fields that it does not know keep their
 * default.  A caller compiled against a newer header passes a larger size:
 * bytes that this kernel does not know must be zero, and are left alone.
 *
 * &UMIG_ABI_VERSION 1 is frozen: structs grow at their end only, numbers are
 * never used again, a new call or field that a caller must know of has a bit in
 * &umig_info.features or is refused with ENOTTY or E2BIG where it isn't known.
 * Structs are the same for 32-bit and 64-bit programs.
 *
 * Errors common to all ioctls:
 *
 * - ENOTTY: unknown ioctl number.
 * - EINVAL: size below the first version's size; an unknown flag; a reserved
 *   field that is not zero; a count of items of zero or above
 *   &umig_info.max_batch.
 * - E2BIG: size above what this kernel knows and the excess is not zero, or
 *   size above a page.
 * - EFAULT: a pointer of the argument isn't readable or writable.
 * - ENOKEY: no key is loaded (all but INFO, STAT, EVENTS, SET_KEY and JOIN).
 * - EPERM: the caller lacks CAP_SYS_ADMIN (SET_KEY only).
 * - ENOMEM: out of memory.
 * - EINTR: a fatal signal is pending.
 *
 * On an error of the whole call nothing has been leased.  Errors of single
 * items are reported in the item.  FILL, SHARE and RELEASE may have done a part of
 * their work when they fail as a whole with EFAULT or EINTR.
 */

#define UMIG_ABI_VERSION	1
#define UMIG_DIGEST_SIZE	32
#define UMIG_KEY_SIZE		32
#define UMIG_KEY_ID_SIZE	16
#define UMIG_GROUP_SIZE		16

#define UMIG_IOC_TYPE		0xB9

/**
 * enum umig_hash_alg - How digests are made.
 * @UMIG_HASH_BLAKE2B_256_KEYED: BLAKE2b (RFC 7693), 32 bytes of output, keyed
 *	with the 32-byte key; equals libsodium's crypto_generichash().
 */
enum umig_hash_alg {
	UMIG_HASH_BLAKE2B_256_KEYED	= 1,
};

/**
 * enum umig_mode - How the index follows KSM.
 * @UMIG_MODE_HOOKS: kept current by hooks in KSM's stable tree.
 * @UMIG_MODE_SCAN: hooks are not usable on this kernel, or were found dead:
 *	the index is refreshed by scanning, RANGE gives no digests, every lease
 *	and every record of read(2) re-hashes its page.
 */
enum umig_mode {
	UMIG_MODE_HOOKS	= 1,
	UMIG_MODE_SCAN	= 2,
};

/**
 * enum umig_feature - Bits of &umig_info.features.
 * @UMIG_FEATURE_GROUPS: JOIN works, and CONFIRM and read(2) tell groups apart.
 *	It goes away if the kernel's list of who shares a page turns out to be
 *	laid out in a way that this module doesn't know: pages that would have
 *	to be looked up in it are then confirmed to nobody.
 * @UMIG_FEATURE_SHARE: SHARE shares pages, as things are now: the module's
 *	parameter share is set, KSM's merging function is known, and ksmd is at
 *	work (/sys/kernel/mm/ksm/run is 1).  Without it SHARE copies.
 */
enum umig_feature {
	UMIG_FEATURE_GROUPS	= 1,
	UMIG_FEATURE_SHARE	= 2,
};

/**
 * struct umig_info - What this module is and how full its index is (INFO).
 * @size: in: sizeof(struct umig_info).
 * @flags: in: must be 0.
 * @abi_version: out: UMIG_ABI_VERSION of the module.
 * @hash_alg: out: &enum umig_hash_alg.
 * @mode: out: &enum umig_mode.
 * @page_size: out: bytes of one page.
 * @max_batch: out: largest number of items of one RANGE, CONFIRM, FILL,
 *	SHARE or RELEASE.
 * @lease_ttl_ms: out: a lease not used for this long may be taken back; when
 *	memory is short it is the module's parameter lease_grace_ms instead.
 * @features: out: &enum umig_feature.
 * @key_id: out: fingerprint of the key: the first 16 bytes of the digest,
 *	under that key, of the 11 bytes "umig key id".  All zero: no key.
 * @generation: out: changes with every new key and every flush of the index.
 * @hashed_pages: out: entries of the index that have a digest.
 * @merged_pages: out: entries of the index, those still to be hashed included.
 * @index_bytes: out: memory that the index occupies.
 * @index_limit_bytes: out: its limit.
 */
struct umig_info {
	__u32 size;
	__u32 flags;
	__u32 abi_version;
	__u32 hash_alg;
	__u32 mode;
	__u32 page_size;
	__u32 max_batch;
	__u32 lease_ttl_ms;
	__u64 features;
	__u8 key_id[UMIG_KEY_ID_SIZE];
	__u64 generation;
	__u64 hashed_pages;
	__u64 merged_pages;
	__u64 index_bytes;
	__u64 index_limit_bytes;
};
#define UMIG_IOC_INFO		_IO(UMIG_IOC_TYPE, 0x00)

/**
 * struct umig_set_key - Load the domain key (SET_KEY, CAP_SYS_ADMIN).
 * @size: in: sizeof(struct umig_set_key).
 * @flags: in: must be 0.
 * @key: in: the key; all zero is refused with EINVAL.
 *
 * Loading the key that is loaded already is a no-op.  Another key bumps the
 * generation and re-hashes every page in the background; leases taken under
 * the old key stay valid.
 */
struct umig_set_key {
	__u32 size;
	__u32 flags;
	__u8 key[UMIG_KEY_SIZE];
};
#define UMIG_IOC_SET_KEY	_IO(UMIG_IOC_TYPE, 0x01)

/**
 * enum umig_page_class - What RANGE found at an address.
 * @UMIG_PAGE_ABSENT: no page is mapped: never touched, swapped out, or not
 *	quickly reachable.  Nothing is faulted in to find out.
 * @UMIG_PAGE_PRIVATE: a page that KSM has not merged.
 * @UMIG_PAGE_ZERO: the kernel's zero page.
 * @UMIG_PAGE_MERGED: a KSM page; its digest is in the digest array.
 * @UMIG_PAGE_MERGED_UNHASHED: a KSM page whose digest isn't ready yet.
 */
enum umig_page_class {
	UMIG_PAGE_ABSENT		= 1,
	UMIG_PAGE_PRIVATE		= 2,
	UMIG_PAGE_ZERO			= 3,
	UMIG_PAGE_MERGED		= 4,
	UMIG_PAGE_MERGED_UNHASHED	= 5,
};

/**
 * struct umig_run - Consecutive pages of one class.
 * @first: index of the run's first page, counted from &umig_range.addr.
 * @count: pages in the run.
 * @class: &enum umig_page_class.
 * @reserved: 0.
 */
struct umig_run {
	__u32 first;
	__u32 count;
	__u32 class;
	__u32 reserved;
};

/**
 * struct umig_range - Which pages of a range are merged (RANGE).
 * @size: in: sizeof(struct umig_range).
 * @flags: in: must be 0.
 * @mem_fd: in: -1: the caller's own memory; else an open /proc/PID/mem: that
 *	process's.
 * @nr_pages: in: pages to look at, at most &umig_info.max_batch;
 *	out: pages looked at: fewer if an array was full, 0 if there is no room
 *	for the first page's digest.
 * @addr: in: first address, a multiple of the page size, else EINVAL.  A range
 *	that wraps around is refused with EINVAL; what is outside of the
 *	process's address space is absent.
 * @runs: in: address of an array of &struct umig_run.
 * @digests: in: address of an array of digests, UMIG_DIGEST_SIZE bytes each.
 * @nr_runs: in: room in @runs, at least 1, no upper limit; out: runs written,
 *	in order of address and without gap.
 * @nr_digests: in: room in @digests, may be 0, no upper limit; out: digests
 *	written: one for each page of class UMIG_PAGE_MERGED, in order of
 *	address.  All are of the same generation.
 *
 * The answer is a snapshot: a caller that wants to act on it must have cleared
 * the range's dirty log before the call and treat a page as changed that is
 * dirty afterwards.
 *
 * Another process isn't waited for: what can't be reached without is absent.
 *
 * - EBADF: @mem_fd isn't /proc/PID/mem, opened for reading.
 * - ESRCH: the process has ended, or executed another program since.
 * - EOPNOTSUPP: @mem_fd other than -1 where /proc couldn't be looked at when the
 *   module was loaded.
 */
struct umig_range {
	__u32 size;
	__u32 flags;
	__s32 mem_fd;
	__u32 nr_pages;
	__aligned_u64 addr;
	__aligned_u64 runs;
	__aligned_u64 digests;
	__u32 nr_runs;
	__u32 nr_digests;
};
#define UMIG_IOC_RANGE		_IO(UMIG_IOC_TYPE, 0x02)

/**
 * struct umig_confirm - Lease the pages behind digests (CONFIRM).
 * @size: in: sizeof(struct umig_confirm).
 * @flags: in: must be 0.
 * @digests: in: address of an array of digests.
 * @leases: in: address of an array of __u32; out: for each digest a lease
 *	(never 0), or 0: not held by this host.
 * @nr: in: length of both arrays, at most &umig_info.max_batch.
 * @nr_held: out: how many leases were taken.
 *
 * Leases belong to the open file.  A digest that is given twice gets two
 * leases.  At the limit of leases, the file's, its user's or that of all files
 * together, the answer is 0 for the rest.
 *
 * A user who asks for more digests a second than the module's parameter
 * confirm_rate says waits in the call, a second at most for each call that is
 * before it.  The user is the one who has opened the file.
 *
 * A page that is merged for no process of the file's group is answered like one
 * that isn't held (see &struct umig_join).  So is one whose sharers can't be
 * looked up without waiting.
 */
struct umig_confirm {
	__u32 size;
	__u32 flags;
	__aligned_u64 digests;
	__aligned_u64 leases;
	__u32 nr;
	__u32 nr_held;
};
#define UMIG_IOC_CONFIRM	_IO(UMIG_IOC_TYPE, 0x03)

/**
 * struct umig_fill_item - One page to fill.
 * @addr: in: where to, in the caller's memory, a multiple of the page size.
 * @lease: in: which page.
 * @result: out: 0, or -ENOENT: no such lease (never was, released, taken
 *	back); -EFAULT: @addr isn't writable; -EINVAL: @addr isn't aligned;
 *	-EHWPOISON: the page's memory is broken.
 */
struct umig_fill_item {
	__aligned_u64 addr;
	__u32 lease;
	__s32 result;
};

/**
 * struct umig_fill - Copy leased pages into the caller's memory (FILL).
 * @size: in: sizeof(struct umig_fill).
 * @flags: in: must be 0.
 * @items: in: address of an array of &struct umig_fill_item.
 * @nr: in: its length, at most &umig_info.max_batch.
 * @nr_filled: out: how many items have a result of 0.
 */
struct umig_fill {
	__u32 size;
	__u32 flags;
	__aligned_u64 items;
	__u32 nr;
	__u32 nr_filled;
};
#define UMIG_IOC_FILL		_IO(UMIG_IOC_TYPE, 0x04)

#define UMIG_SHARE_COPIED	1

/**
 * struct umig_share - Make the caller share leased pages (SHARE).
 * @size: in: sizeof(struct umig_share).
 * @flags: in: must be 0.
 * @items: in: address of an array of &struct umig_fill_item.
 * @nr: in: its length, at most &umig_info.max_batch.
 * @nr_filled: out: how many items have a result of 0 or UMIG_SHARE_COPIED.
 * @nr_shared: out: how many items have a result of 0.
 * @reserved: in: must be 0.
 *
 * As FILL, and an item's result may also be UMIG_SHARE_COPIED: the content is
 * there, in a page of the caller's own.  0 means that the leased page itself is
 * mapped there, as if ksmd had merged it: it costs no memory, and a write copies
 * it.  What can be shared are private anonymous pages of memory that is
 * MADV_MERGEABLE.  A page isn't shared, but copied:
 *
 * - without UMIG_FEATURE_SHARE;
 * - where KSM has dropped the leased page, or it has as many sharers as KSM's
 *   max_page_sharing allows;
 * - on another NUMA node than the leased page's, where KSM's
 *   merge_across_nodes is 0;
 * - where somebody else holds a reference to the caller's page or a lock, or
 *   writes to it at the time.
 *
 * Memory that was copied and is mergeable is merged by ksmd in its time.
 *
 * Until ksmd has come across a shared page, within one of its passes over all
 * memory (&umig_stat.share_adopted), the kernel can't reclaim or migrate it; if
 * its memory is to go offline before, or the module to be unloaded, it is copied.
 */
struct umig_share {
	__u32 size;
	__u32 flags;
	__aligned_u64 items;
	__u32 nr;
	__u32 nr_filled;
	__u32 nr_shared;
	__u32 reserved;
};
#define UMIG_IOC_SHARE		_IO(UMIG_IOC_TYPE, 0x08)

#define UMIG_RELEASE_ALL	(1U << 0)

/**
 * struct umig_release - Give leases back (RELEASE).
 * @size: in: sizeof(struct umig_release).
 * @flags: in: UMIG_RELEASE_ALL: every lease of this file; @leases and @nr must
 *	be 0 then.
 * @leases: in: address of an array of leases.  Unknown ones are passed over.
 * @nr: in: its length, at most &umig_info.max_batch.
 * @nr_released: out: how many leases were given back.
 */
struct umig_release {
	__u32 size;
	__u32 flags;
	__aligned_u64 leases;
	__u32 nr;
	__u32 nr_released;
};
#define UMIG_IOC_RELEASE	_IO(UMIG_IOC_TYPE, 0x05)

/**
 * struct umig_join - Join a trust group (JOIN).
 * @size: in: sizeof(struct umig_join).
 * @flags: in: must be 0.
 * @group: in: the group's id; all zero is the common group.
 *
 * The open file and the calling process's memory belong to the group from now
 * on: CONFIRM and read(2) on this file tell only of pages that a process of the
 * group shares, and of this process's pages only files of the group are told.
 * Join before memory becomes mergeable: leases that others have taken by then
 * stay theirs.
 *
 * A file's membership ends with the file; leases don't change it.  A memory's
 * membership ends with the process that it is of, or when the process executes
 * another program, however many files of it have been closed before; it
 * lasts on until KSM has forgotten the dead process's pages.  All of it ends
 * when the module is unloaded, which an open file prevents: a process that
 * relies on its group keeps the file open.  A child after fork(2) has memory of
 * its own, of the common group until it joins.
 *
 * Joining the group that one belongs to already is a no-op.  Joining the common
 * group by a process of none changes nothing but that the file can't join
 * another one any more.
 *
 * A page's sharers are those that KSM has recorded: one that has changed or
 * dropped the page counts until KSM passes by the next time, one that came to
 * it by fork(2) doesn't count before.
 *
 * An id isn't a secret: who may open the device may join any group.
 *
 * - EBUSY: the file, or the calling process, is of another group.
 * - ENOSPC: as many processes are in groups as the module's parameter
 *   members_total allows.
 * - EOPNOTSUPP: not without UMIG_FEATURE_GROUPS (the common group: always).
 */
struct umig_join {
	__u32 size;
	__u32 flags;
	__u8 group[UMIG_GROUP_SIZE];
};
#define UMIG_IOC_JOIN		_IO(UMIG_IOC_TYPE, 0x07)

/**
 * enum umig_event - Bits of &umig_events.events.
 * @UMIG_EVENT_LEASES: leases of this file were taken back.
 * @UMIG_EVENT_MODE: &umig_events.mode is another one.
 * @UMIG_EVENT_GENERATION: all digests given before are void: another key, or
 *	the hooks have missed something.  Leases aren't.
 */
enum umig_event {
	UMIG_EVENT_LEASES	= 1,
	UMIG_EVENT_MODE		= 2,
	UMIG_EVENT_GENERATION	= 4,
};

/**
 * struct umig_events - What has changed since this was asked last (EVENTS).
 * @size: in: sizeof(struct umig_events).
 * @flags: in: must be 0.
 * @events: out: &enum umig_event; since the file was opened for the first call.
 * @leases_lost: out: how many leases were taken back.
 * @generation: out: as &umig_info.generation.
 * @mode: out: &enum umig_mode.
 * @reserved: out: 0.
 *
 * poll(2) reports POLLPRI while there is an event that this file hasn't been
 * told of; POLLIN always, since read(2) never waits.  Nothing need be asked: who
 * doesn't, finds out by FILL, or by RANGE.
 */
struct umig_events {
	__u32 size;
	__u32 flags;
	__u32 events;
	__u32 leases_lost;
	__u64 generation;
	__u32 mode;
	__u32 reserved;
};
#define UMIG_IOC_EVENTS		_IO(UMIG_IOC_TYPE, 0x09)

/**
 * struct umig_stat - Counters since the module was loaded (STAT).
 * @size: in: sizeof(struct umig_stat).
 * @flags: in: must be 0.
 * @hook_inserts: KSM made a new merged page.
 * @hook_removes: KSM dropped one.
 * @hook_moves: page migration moved one.
 * @queue_lost: hook events that found the queue full; each led to a rescan.
 * @queue_len: pages waiting to be hashed, now; 0 means that the index is
 *	complete, in mode UMIG_MODE_SCAN as of the last scan: a scan that is due
 *	or runs counts as one.
 * @rescans: scans of all memory, the one at load included.
 * @hashed: pages hashed for the index.
 * @hash_stale: pages that stopped being that merged page while hashed.
 * @evicted: entries given up for the memory limit.
 * @hook_misses: kprobe hits that the kernel dropped; each leads to a rescan.
 * @canary_fails: times the hooks were found dead.
 * @range_pages: pages looked at by RANGE.
 * @range_merged: of these, merged with a digest.
 * @confirm_asked: digests asked by CONFIRM.
 * @confirm_held: of these, leased.
 * @lease_rehashed: leases whose page was hashed again to be sure.
 * @lease_mismatch: of these, not the content promised (a bug or dead hooks).
 * @leases: leases held now, by all files.
 * @lease_expired: leases taken back for their age.
 * @lease_released: leases given back by their owner or by close.
 * @filled: pages copied out by FILL.
 * @fill_failed: items of FILL with an error.
 * @lease_converted: leases turned into private copies for memory offlining.
 * @confirm_other_group: digests asked by CONFIRM whose pages are all merged for
 *	other groups than the file's; 0 for a caller without CAP_SYS_ADMIN, who
 *	could else ask what it isn't told.
 * @confirm_busy: pages passed over by CONFIRM since they were locked when their
 *	sharers, or in mode UMIG_MODE_SCAN they themselves, had to be looked up;
 *	as @confirm_other_group.
 * @group_members: processes that are members of a group, now.
 * @confirm_throttled: calls of CONFIRM that had to wait for their user's turn.
 * @lease_refused: leases not given because of a limit.
 * @lease_reclaimed: leases taken back since memory was short.
 * @shared: pages that SHARE has shared.
 * @share_copied: pages that SHARE has copied.
 * @share_retried: pages that SHARE has tried to share a second time.
 * @share_adopted: of @shared, those that KSM has come across since and made its
 *	own.  Pages that are written or dropped before are never adopted.
 * @crosscheck_fails: times that KSM's own tracepoint, where there is one, told of
 *	more pages dropped than the hook; each leads to a rescan.
 */
struct umig_stat {
	__u32 size;
	__u32 flags;
	__u64 hook_inserts;
	__u64 hook_removes;
	__u64 hook_moves;
	__u64 queue_lost;
	__u64 queue_len;
	__u64 rescans;
	__u64 hashed;
	__u64 hash_stale;
	__u64 evicted;
	__u64 hook_misses;
	__u64 canary_fails;
	__u64 range_pages;
	__u64 range_merged;
	__u64 confirm_asked;
	__u64 confirm_held;
	__u64 lease_rehashed;
	__u64 lease_mismatch;
	__u64 leases;
	__u64 lease_expired;
	__u64 lease_released;
	__u64 filled;
	__u64 fill_failed;
	__u64 lease_converted;
	__u64 confirm_other_group;
	__u64 confirm_busy;
	__u64 group_members;
	__u64 confirm_throttled;
	__u64 lease_refused;
	__u64 lease_reclaimed;
	__u64 shared;
	__u64 share_copied;
	__u64 share_retried;
	__u64 share_adopted;
	__u64 crosscheck_fails;
};
#define UMIG_IOC_STAT		_IO(UMIG_IOC_TYPE, 0x06)

/**
 * struct umig_record - What read(2) returns: the index, entry by entry.
 * @digest: a merged page's digest.
 * @sharers: how many mappings of the file's group share that page: none of
 *	another group is told of.  While there are members of groups it is what
 *	KSM has recorded (see &struct umig_join).
 * @reserved: 0.
 *
 * A read returns whole records, 0 at the end of the index; a buffer smaller
 * than one record is refused with EINVAL.  lseek(fd, 0, SEEK_SET) starts over;
 * other positions are opaque, seeking to them is refused with EINVAL.  A content
 * that stands in several pages has a record for each.  Pages of other groups
 * than the file's are left out.  Entries that come or go
 * meanwhile may be missed or seen twice.
 */
struct umig_record {
	__u8 digest[UMIG_DIGEST_SIZE];
	__u32 sharers;
	__u32 reserved;
};

#endif /* _UAPI_LINUX_UMIG_H */
