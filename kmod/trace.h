/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: /sys/kernel/tracing/events/umig.  Documentation/module.rst lists
 * them.  None tells a digest, a key or a content, and none is in a hook.
 *
 * This file is read several times, by <trace/define_trace.h>, which finds it
 * as "./trace.h" in the -I that Kbuild gives for kmod/.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM umig

#if !defined(UMIG_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define UMIG_TRACE_H

#include <linux/tracepoint.h>
#include <linux/types.h>

#ifndef UMIG_LEASE_ENDS
#define UMIG_LEASE_ENDS
/** enum umig_lease_end - Why a lease has ended. */
enum umig_lease_end {
	UMIG_LEASE_GIVEN_BACK	= 1,
	UMIG_LEASE_TIMED_OUT	= 2,
	UMIG_LEASE_MEMORY_SHORT	= 3,
	UMIG_LEASE_NO_COPY	= 4,
};
#endif

/* The worker has hashed a page, or not: -ESTALE: it isn't that page any more. */
TRACE_EVENT(umig_hash,
	TP_PROTO(unsigned long pfn, int err),
	TP_ARGS(pfn, err),
	TP_STRUCT__entry(
		__field(unsigned long, pfn)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->pfn = pfn;
		__entry->err = err;
	),
	TP_printk("pfn=0x%lx err=%d", __entry->pfn, __entry->err)
);

/* A scan of all memory begins, or has ended: then how many it has found. */
TRACE_EVENT(umig_scan,
	TP_PROTO(bool ended, u64 found),
	TP_ARGS(ended, found),
	TP_STRUCT__entry(
		__field(bool, ended)
		__field(u64, found)
	),
	TP_fast_assign(
		__entry->ended = ended;
		__entry->found = found;
	),
	TP_printk("%s found=%llu", __entry->ended ? "end" : "begin",
		  __entry->found)
);

/* An entry makes room for another one, or for other users of memory. */
TRACE_EVENT(umig_evict,
	TP_PROTO(unsigned long pfn, bool hashed),
	TP_ARGS(pfn, hashed),
	TP_STRUCT__entry(
		__field(unsigned long, pfn)
		__field(bool, hashed)
	),
	TP_fast_assign(
		__entry->pfn = pfn;
		__entry->hashed = hashed;
	),
	TP_printk("pfn=0x%lx hashed=%d", __entry->pfn, __entry->hashed)
);

/* All digests are void from now on: a new key, or the hooks missed something. */
TRACE_EVENT(umig_generation,
	TP_PROTO(u64 generation),
	TP_ARGS(generation),
	TP_STRUCT__entry(
		__field(u64, generation)
	),
	TP_fast_assign(
		__entry->generation = generation;
	),
	TP_printk("generation=%llu", __entry->generation)
);

/* The hooks were found dead, alive again, or to have missed hits. */
TRACE_EVENT(umig_health,
	TP_PROTO(bool alive, unsigned long missed),
	TP_ARGS(alive, missed),
	TP_STRUCT__entry(
		__field(bool, alive)
		__field(unsigned long, missed)
	),
	TP_fast_assign(
		__entry->alive = alive;
		__entry->missed = missed;
	),
	TP_printk("alive=%d missed=%lu", __entry->alive, __entry->missed)
);

TRACE_EVENT(umig_range,
	TP_PROTO(u32 pages, u32 digests, bool trusted),
	TP_ARGS(pages, digests, trusted),
	TP_STRUCT__entry(
		__field(u32, pages)
		__field(u32, digests)
		__field(bool, trusted)
	),
	TP_fast_assign(
		__entry->pages = pages;
		__entry->digests = digests;
		__entry->trusted = trusted;
	),
	TP_printk("pages=%u digests=%u trusted=%d", __entry->pages,
		  __entry->digests, __entry->trusted)
);

/* Who asks: @uid has opened the file; the task is in the event's header. */
TRACE_EVENT(umig_confirm,
	TP_PROTO(u32 uid, u32 asked, u32 held, u32 other_group),
	TP_ARGS(uid, asked, held, other_group),
	TP_STRUCT__entry(
		__field(u32, uid)
		__field(u32, asked)
		__field(u32, held)
		__field(u32, other_group)
	),
	TP_fast_assign(
		__entry->uid = uid;
		__entry->asked = asked;
		__entry->held = held;
		__entry->other_group = other_group;
	),
	TP_printk("uid=%u asked=%u held=%u other_group=%u", __entry->uid,
		  __entry->asked, __entry->held, __entry->other_group)
);

TRACE_EVENT(umig_lease,
	TP_PROTO(u32 uid, u32 id, unsigned long pfn),
	TP_ARGS(uid, id, pfn),
	TP_STRUCT__entry(
		__field(u32, uid)
		__field(u32, id)
		__field(unsigned long, pfn)
	),
	TP_fast_assign(
		__entry->uid = uid;
		__entry->id = id;
		__entry->pfn = pfn;
	),
	TP_printk("uid=%u id=%u pfn=0x%lx", __entry->uid, __entry->id,
		  __entry->pfn)
);

TRACE_EVENT(umig_lease_end,
	TP_PROTO(u32 uid, u32 id, int why),
	TP_ARGS(uid, id, why),
	TP_STRUCT__entry(
		__field(u32, uid)
		__field(u32, id)
		__field(int, why)
	),
	TP_fast_assign(
		__entry->uid = uid;
		__entry->id = id;
		__entry->why = why;
	),
	TP_printk("uid=%u id=%u why=%s", __entry->uid, __entry->id,
		  __print_symbolic(__entry->why,
				   { 1, "released" },
				   { 2, "timeout" },
				   { 3, "memory" },
				   { 4, "offline" }))
);

TRACE_EVENT(umig_fill,
	TP_PROTO(u32 asked, u32 filled),
	TP_ARGS(asked, filled),
	TP_STRUCT__entry(
		__field(u32, asked)
		__field(u32, filled)
	),
	TP_fast_assign(
		__entry->asked = asked;
		__entry->filled = filled;
	),
	TP_printk("asked=%u filled=%u", __entry->asked, __entry->filled)
);

/* @filled: of @asked; @shared: of @filled, without a copy. */
TRACE_EVENT(umig_share,
	TP_PROTO(u32 asked, u32 filled, u32 shared),
	TP_ARGS(asked, filled, shared),
	TP_STRUCT__entry(
		__field(u32, asked)
		__field(u32, filled)
		__field(u32, shared)
	),
	TP_fast_assign(
		__entry->asked = asked;
		__entry->filled = filled;
		__entry->shared = shared;
	),
	TP_printk("asked=%u filled=%u shared=%u", __entry->asked,
		  __entry->filled, __entry->shared)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
